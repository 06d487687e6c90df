"""Is this a usable address: syntax, DNS, a suggestion for a likely slip, role accounts, disposable domains.

    import asyncio
    from returpost.validation import Validator

    (finding,) = asyncio.run(Validator().validate(["ann@gmial.com"]))
    print(finding.validity, finding.suggestion, finding.score)

Needs `pip install returpost[validation]`. No mail is sent, and no server is asked but DNS.
"""

from returpost.validation.domains import Domains as Domains, Mail as Mail
from returpost.validation.lists import Lists as Lists, load
from returpost.validation.validator import Finding as Finding, Validator as Validator

load_lists = load
