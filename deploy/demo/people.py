"""Who the recipients of a simulated mailing are, as a CRM would tell it."""

import csv
import io
import random

from deploy.demo.simulation import Mailing, Recipient, recipients

KNOWN = 0.9
"""Share of the recipients whose address belongs to a person; of the others nobody knows whose it is."""
COMPANIES = (
    "Bjerke Bygg AS", "Dalen Regnskap AS", "Elvestad Transport AS", "Fjellro Hotell", "Granli Eiendom AS",
    "Havblikk Sjømat AS", "Isvik Energi AS", "Kystnett IKT AS", "Lyngmo Skole", "Myrdal Arkitekter AS",
    "Nordlia Helse AS", "Ospelund Forlag AS", "Rimstad Rør AS", "Solbakken Barnehage", "Tindevær Sport AS",
    "Utsikten Reiser AS", "Vestaker Advokater AS", "Øyvang Trevare AS", "Åsheim Kommune", "",
)  # fmt: skip
"""Made up; some persons have none."""
_WRITTEN = {"bjorn": "Bjørn"}


def contacts_csv(mailing: Mailing) -> bytes:
    """Return the persons as `POST /v1/contacts/import` takes them. The same mailing, the same bytes."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(("id", "name", "company", "email"))
    for one in recipients(mailing):
        dice = random.Random(f"{mailing.seed}/{one.number}/person")  # noqa: S311 - a simulation
        if dice.random() < KNOWN:
            writer.writerow((f"p{one.number}", _name(one), dice.choice(COMPANIES), one.address))
    return lines.getvalue().encode()


def _name(one: Recipient) -> str:
    first, last, _ = one.address.split(".", 2)
    return f"{_WRITTEN.get(first, first.capitalize())} {last.capitalize()}"
