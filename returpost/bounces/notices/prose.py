"""Recipients and reasons out of the human-readable text of a notice, whoever wrote it.

The notices differ in words but hardly in form: a sentence that says "the following", then each address on a line of
its own (bare, in angle brackets, behind a label or with its reason behind it), the reason in the lines after it, and
at last a copy of the message. So one reader serves all; `formats` only names them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

import re2

from returpost.bounces.mime.addresses import address
from returpost.linear_patterns import searcher

MAX_RECIPIENTS = 10_000
MAX_LINES = 1_500
"""Lines of which it is asked what they say."""
MAX_LISTED = 40_000
"""Lines in which recipients are looked for: of 10,000, each with what is said of it."""
MAX_WORDLESS = 50
"""Recipients for whom words are looked for elsewhere in the notice."""
MAX_LINE = 1_000
MAX_DETAIL = 1_500

CODED = re.compile(r"(?<![\d.])(?:[45]\d\d[ -][^\d\s]|[45]\d\d[ -]?[45]\.\d{1,3}\.\d|#?[45]\.\d{1,3}\.\d{1,3}[ :)])")
"""The code of a reply in a line."""
_find_copy = searcher(
    r"(?im)^[ \t>*-]*(?:"
    r"-{2,} ?(?:this is a copy|below this line|original message|returned message|enclosed is|unsent message"
    r"|message header"
    r"|the message|message follows|headers? of|received header|forwarded message|undelivered message|begin)"
    r"|original message headers?:|original message follows|a copy of (?:your|the) (?:original )?message"
    r"|(?:the )?headers? of (?:the |your )?(?:original|returned) message|the original message (?:header|is|was:)"
    r"|message header follows"
    r"|the first \d+ bytes of|(?:here|below) is (?:a copy of )?(?:the|your) (?:original|returned|message)"
    r"|исходное сообщение|ursprüngliche (?:nachrichten|nachricht)|opprinnelige meldingshoder"
    r"|en-têtes? de message d'origine"
    r").*$"
    r"|^(?:return-path|received|dkim-signature|x-originating-ip|x-received|arc-seal): "
)
# Classes by range and repeats without bounds keep the automata small; the lines are bounded instead.
_FORWARDED = re.compile(
    r"(?i)[ \t>*-]*(?:original message|forwarded message|begin forwarded|ursprüngliche nachricht)\b"
)
"""What stands above a notice that a rule or a person has sent on, and above a message that an MTA returns."""
_DOMAIN = r"@(?:[\w\x{80}-\x{10ffff}-]+\.)*[\w\x{80}-\x{10ffff}-]+"
_ADDRESS = r"""(?:"[^"\s]+"|[^\s<>()\[\],;:"'`@：；、。，（）「」]+)""" + _DOMAIN
_WITH_APOSTROPHE = r"""[^\s<>()\[\],;:"'`@：；、。，（）「」][^\s<>()\[\],;:"`@：；、。，（）「」]*""" + _DOMAIN
"""Only within angle brackets or on a line of its own: elsewhere a language may write `d'ann@example.com`."""
_LABEL = (
    r"(?:(?:final|original|failed|intended|envelope|undelivered|the)?[ -]?(?:recipients?"
    r"|addressee)(?:\(s\)|\(en\))?(?: e?-?mail)?(?: address(?:es)?)?|rcpt to"
    r"|(?:target |rejected |failed |recipient |undeliver(?:able|ed) |unknown |bad )?(?:e?-?mail )?address|e?-?mail|user"
    r"|undeliver(?:able|ed)(?: \w+){0,2} (?:to|for)|delivery failed(?:(?: after)? [0-9]+ attempts)?"
    r"|unable to deliver (?:your )?(?:message|mail|e-?mail) to(?: the following \w+)?"
    r"|(?:delivery|message|mail|e-?mail)(?: \w+){0,3} (?:to|for)|could not deliver (?:your )?(?:message|mail) to"
    r"|(?:failed|unable) to deliver to|(?:could not|cannot) be delivered to"
    r"|(?:was |were )?not (?:be )?(?:delivered|sent) to"
    r"|empfänger|mottaker|modtager|mottagare|vastaanottaja|destinataire|destinatario|destinatário|destinatari?"
    r"|získatel|příjemce|adresát|címzett|alıcı|primatelj|prejemnik|saaja|gavėjas|παραλήπτης|получатель|одержувач"
    r"|адрес|ontvanger|odbiorca|adresat|người nhận|penerima|נמען|المستلم)"
    # The words need something between them and the address: `users@example.com` is a whole address.
    r"(?:[ \t]*[:：=][ \t]*|[ \t]+)"
    r"|(?:宛先|送信先|受信者|収件人|收件人|收件者|받는 ?사람|받는이|수신자|수신인)[ \t]*[:：]?[ \t]*"
)
_find_on_its_line = searcher(
    rf"(?i)^[ \t]*(?:[*•·-]{{1,2}}[ \t]+|[0-9]{{1,3}}[.)][ \t]+)?(?:(?:{_LABEL})(?:rfc822;[ \t]*)?)?"
    rf"(<[ \t]*(?:{_ADDRESS}|{_WITH_APOSTROPHE})[ \t]*>|{_ADDRESS}|{_WITH_APOSTROPHE}"
    rf"|\[(?:smtp:)?{_ADDRESS}\]|'{_ADDRESS}'|\"(?:{_ADDRESS}|{_WITH_APOSTROPHE})\")"
    r"(?:[ \t]*<mailto:[^>]*>)?[ \t]*(?:\(([^()]{3,60})\))?[ \t]*"
    r"($|[:：(\[;]|\.\.\.|[–—-]{1,2}[ \t]|on (?:mon|tue|wed|thu|fri|sat|sun|\d)|said\b|failed\b|[45]\d\d[ -]|\.$"
    r"|様|へ|宛|님|(?:am|den|le|el|il|em|op|dnia|dne) \d|,$|\t|[ ]{2})[ \t]*(.*)$"
)
_GLUED = re.compile(r"(\w)<(?=[^<>\s]{1,80}@)")
_BEFORE_OTHERS = re.compile(
    r"\s{0,20}(?:(?:envelope[ -])?senders?|from|return[ -]path|mail from|reply[ -]to|avsender|afsender|avsändare"
    r"|absender|expéditeur|remitente|mittente|afzender|remetente|nadawca|отправитель|差出人|发件人|寄件者)"
    r"(?:[ -](?:e-?mail|address|adresse|id))*\s{0,9}[:：]\s*\Z"
    r"|[^@]{0,200}\b(?:contact|assistance|questions?|help ?desk|support|administrator|spørsmål|kontakt\w*|fragen)\b"
    r"[^@]{0,100}[:：]\s*\Z",
    re.IGNORECASE,
)
"""What stands above the address of somebody else than a recipient."""
_UNFINISHED = re.compile(
    r"(?:\bsaid|[45]\d\d|[45]\.\d{1,3}\.\d{1,3}|\b(?:to|for|with|by|of|the|address|recipient))[ :-]*\Z"
)
"""How a line ends that was wrapped."""
# What most of them write, found in a tenth of the time.
_USUAL = re.compile(
    r"[ \t]{0,60}<([a-z0-9.!#$%&*+/=?^_{|}~-]{1,64}@[a-z0-9.-]{1,255})>[ \t]{0,20}(?:\Z|:[ \t]{0,60}(.*)\Z)",
    re.IGNORECASE,
)
_IN_X400 = re.compile(r"(?:^|[;/ ])dda[:.](?:smtp|rfc-?822)=([^;/\s]{3,320})", re.IGNORECASE)
"""The address of the Internet in one of X.400."""
_IN_COMMAND = re2.compile(rf"(?i)(?:^|[\s(])(?:>>> )?(?:rcpt to|to)[ ]?:[ ]?<({_ADDRESS})>")
_find_after_code = searcher(rf"^(?:[45]\d\d[ -])(?:#?[45]\.\d+\.\d+[ -])?<?({_ADDRESS})>?(?:\.\.\.|:)[ \t]*(.*)$")
_IN_SENTENCE = re2.compile(
    rf"(?i)(?:message|mail|e-?mail|delivery|deliver(?:ed|y)?|sent?|recipient|address|user|account|mailbox|list|to"
    rf"|for|an|für|à|para|pour|til|till)"
    rf"[:,]?\s+(?:<({_WITH_APOSTROPHE})>|[<\"'(]?({_ADDRESS})[>\"')]?)"
)
_DESTINED = re2.compile(
    r"(?i)(?:(?:your|ihre?|deine?|votre|ton|su|tu|sua|seu|vostr[oa]|tuo|din|ditt|uw|je|jouw|twoj[aą]|pańsk[aą]|va[šs][ei]"
    r"|va[šs]u|ваш[еу]?|ваше|el|az ön) (?:e-?mail|mail|message|nachricht|sendung|melding|meddelande|besked|bericht"
    r"|courriel|mensaje|correo|mensagem|messaggio|e-?post|wiadomość|zpráv[auy]?|správu?|poruka|levelét|üzenetét|письмо"
    r"|сообщение|лист)|viestiäsi|iletiniz|(?:e-?posten|meldingen|mailen|beskeden|meddelelsen|meddelandet|mejlet)"
    r" (?:din|ditt|du (?:sendte|skickade))"
    r"|you (?:have )?(?:sent|wrote|tried to send|attempted to send|were sending)(?: (?:an?|the|this|your))?"
    r" (?:e-?mail|mail|message)|(?:the following|this|the original) (?:e-?mail|mail|message) (?:to|for)"
    r"|\b(?:rejected|refused) (?:the )?(?:recipient|address)"
    r"|\b(?:was|were|is) addressed,?(?: to)?|\bdestinat[oa]s? (?:a|à|al|ai|all['’]utente|para)"
    r"|\bdirigid[oa]s? a|\badressée? à|\bgerichtet an)"
    rf"(?:[ \t]+[^\s@.:<]+){{0,6}}:?[ \t]+(?:<({_WITH_APOSTROPHE})>|[<\"'(]?({_ADDRESS})[>\"')]?)"
)
"""An address in one breath with *your* message, which was to go there."""
_WHEN = re.compile(r"(?:on|am|den|le|el|il|em|op|dnia|dne) ", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?])\s|\n\s*\n")
_ANY = re2.compile(rf"({_ADDRESS})")
_find_several = searcher(rf"(?:^|[:：])[ \t]*(<?{_ADDRESS}>?(?:[ \t]*[,;][ \t]*<?{_ADDRESS}>?)+)[ \t]*[.]?$")
_speaks_of_recipients = searcher(
    r"(?i)recipients?\b|addressee|following (?:e-?mail )?address|empfänger|mottaker|modtager|mottagare|vastaanottaj"
    r"|destinat|ontvanger|geadresseerde|odbiorc|adresat|příjem|címzett|alıcı|получател|адресат|одержувач|παραλήπτ"
    r"|宛先|受信者|收件人|收件者|받는 ?사람|수신자|מענים|المستلم"
)
MAX_MENTIONING = 65_536
"""Characters in which addresses are looked for that no line is about."""
_CONTACT = re2.compile(
    r"(?i)\b(?:contact|write to|questions?|assistance|support|report (?:this|it|abuse)|e-?mail us|mail us"
    rf"|reach us|reply to|forward (?:this|it)|kontakt\w*|henvend\w*|contact\w*|wenden)\b"
    rf"[^@\n.]{{0,80}}\s[<\"'(]?{_ADDRESS}[>\"')]?"
)
"""An address to turn to."""
_COMES_FROM = re2.compile(
    rf"(?i)\b(?:(?:message|mail|sent|came|comes) from|proveniente da|inviat[oa] da|envoyée? par"
    rf"|gesendet von|enviad[oa] por|sendt av|skickat av)"
    rf"[ \t\n]+[<\"'(]?{_ADDRESS}[>\"')]?"
)
"""The address of who wrote."""
_find_origin = searcher(rf"(?i)(?:generated from|expanded from|forwarded from|aliased from):?\s+<?({_ADDRESS})>?")
_EXPANDED = re.compile(r"(?:generated|expanded|forwarded|aliased) from:?\s{0,40}<?([^\s<>()]{1,320})", re.IGNORECASE)
_find_begin = searcher(
    r"(?i)following (?:e?-?mail )?(?:addresse?s?|recipients?|users?|destinations?|person)|these (?:recipients"
    r"|addresses)|not delivered to|delivery to"
    r"|did not reach|failed recipient|following.{0,40}(?:failed|rejected)|delivery errors|delivery problems"
    r"|fatal errors"
    r"|folgende|følgende|följande|destinataires? suivants?|siguientes? destinatario|seguent[ei] destinatar"
    r"|получател|下記|以下"
    r"|failure reasons|could not be (?:delivered|sent)|couldn[’']t be delivered"
)
_REPLY = re.compile(r"[45]\d\d[ -]")
"""What some write below the line that should have the message below it."""
_BOILERPLATE = re.compile(
    r"[ \t]*(?:hi[.!,]|hello|dear |please reply to|if you (?:feel|believe) "
    r"|your message|to: |subject: |sent: |date: |i'm afraid|this is (?:a |an |the )"
    r"|no action is|please do not reply"
    r"|(?:final-|original-|x-actual-)recipient:|action:\s*[a-z]+\s*$|status:|diagnostic-code:|(?:remote|reporting"
    r"|received-from)-mta:"
    r"|(?:last-attempt|arrival)-date:|message-id|for further assistance|if you do so|delete your own"
    r"|message details|from: |sender: |recipients?(?:\(s\))?: |cc: |size \(|number of|mail from:"
    r"|-{5,}\s*$|\*{3,}|={3,}|the message identifier|the subject of|the date of|giving up on"
    r"|-{4,}[ \w]*-*$)",
    re.IGNORECASE,
)
_HEADER = re.compile(r"\s{0,20}(?:to|cc|bcc|from|reply-to)\s{0,9}:", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_GENERIC_WORDS = """
 error smtp mail message delivery failed failure permanent temporary rejected requested action not taken aborted the
to of for is was your my this an service unavailable transaction undeliverable unknown general other undefined status
remote server host said returned deliver could be mailbox unable delivered recipient address transient esmtp end data
rcpt command in reply from mx by domain hop next local
"""
_TELLING = re.compile(
    r"unknown (?:e-?mail )?(?:address|recipient|mailbox)|(?:address|recipient|mailbox) unknown|mailbox unavailable"
    r"|address rejected|rejected address"
)
"""Of the words above, what is a reason all the same."""
_GENERIC = frozenset(_GENERIC_WORDS.split())


@dataclass(slots=True)
class Block:
    """A recipient with the lines that are about it; `generated_from` is the address that was mailed, if it tells."""

    recipient: str
    details: list[str] = field(default_factory=list)
    generated_from: str | None = None

    @property
    def detail(self) -> str:
        """The lines as one text."""
        return "\n".join(self.details)[:MAX_DETAIL]


def cut(text: str) -> tuple[str, str]:
    """Return the notice, and the copy of the message that follows it; in what a rule has forwarded, the copy is one."""
    data = text.encode()
    found = _find_copy(data)
    if found and not data[: found[0][0]].strip() and _FORWARDED.match(_piece(data, found[0])):
        data = data[found[0][1] :].lstrip().partition(b"\n\n")[2]
        text = data.decode()
        found = _find_copy(data)
    if not found:
        return text, ""
    start, end = found[0]
    # A header's own line belongs to the copy; a separator does not.
    header = data[start:end].endswith(b": ")
    copy = data[start if header else end :].decode().lstrip("\n- \t")
    return (text, "") if _REPLY.match(copy) else (data[:start].decode(), copy)


def _piece(data: bytes, span: tuple[int, int]) -> str:
    start, end = span
    return data[start:end].decode() if end > start else ""


@lru_cache(maxsize=64)
def telling(text: str) -> bool:
    """Say whether the text gives a reason: not codes and addresses alone, nor words that only lead up to one (`:`)."""
    for line in text[:MAX_DETAIL].lower().split("\n"):
        if line.endswith((":", "：")):
            continue
        if _TELLING.search(line):
            return True
        for piece in line.split():
            if "@" not in piece and "://" not in piece and not _GENERIC.issuperset(_LETTERS.findall(piece)):
                return True
    return False


def blocks(notice: str) -> list[Block]:
    """Return the recipients that stand on lines of their own, each with what is said of it."""
    lines = [line[:MAX_LINE] for line in notice.split("\n")[:MAX_LISTED]]
    data = "\n".join(lines).encode()
    begin = _find_begin(data)
    found = _blocks(lines[data.count(b"\n", 0, begin[0][0]) :]) if begin else {}
    if not found:
        found = _blocks(lines)
    wordless = (block for block in found.values() if not telling(block.detail))
    for block in islice(wordless, MAX_WORDLESS):
        block.details += _mentions(lines[:MAX_LINES], block)
    return list(found.values())


def mentioned(notice: str) -> Iterator[str]:
    """Yield the addresses that a sentence names as a destination, the likely ones first."""
    notice = _COMES_FROM.sub(" ", _CONTACT.sub(" ", notice[:MAX_MENTIONING]))
    for pattern in (_IN_COMMAND, _IN_SENTENCE, _ANY):
        for match in islice(pattern.finditer(notice), 50):
            if found := address(match[match.lastindex or 0]):
                yield found


def expanded(notice: str) -> frozenset[str]:
    """Return the addresses, in lower case, that the notice says others were made from: lists and aliases."""
    found = (address(match[1].strip(".,;:")) for match in _EXPANDED.finditer(notice[:MAX_MENTIONING]))
    return frozenset(name.lower() for name in found if name)


def destined(notice: str) -> Iterator[tuple[str, str]]:
    """Yield the sentences that state where a message of the reader's was to go, each with the address."""
    for sentence in _SENTENCE.split(notice[:4096])[:40]:
        stated = "@" in sentence and not sentence.endswith("?")
        named = _DESTINED.search(_COMES_FROM.sub(" ", " ".join(sentence.split()))) if stated else None
        if named and (found := address(named[named.lastindex or 0])):
            yield sentence, found


def remainder(notice: str) -> str:
    """Return what the notice says when greetings, lines of addresses and rules are left out."""
    kept = [
        line.strip()
        for line in notice.split("\n")[:MAX_LINES]
        if line.strip()
        and not _BOILERPLATE.match(line[:MAX_LINE])
        and not ("@" in line and not telling(line.rstrip(":")))
    ]
    text = "\n".join(kept)[:MAX_DETAIL]
    return text if telling(text) else notice.strip()[:MAX_DETAIL]


def announces(notice: str) -> bool:
    """Say whether the notice speaks of recipients."""
    return bool(_speaks_of_recipients(notice.encode()))


def _blocks(lines: list[str]) -> dict[str, Block]:
    found: dict[str, Block] = {}
    block: Block | None = None
    paragraphs = indent = 0
    above = ""
    for line in lines:
        stripped = line.strip()
        named = None
        if "@" in line and not (block and block.details and _continues(above, line, indent)):
            named = None if _BEFORE_OTHERS.match(above) else _named(line)
            if not named and line.count("@") > 1 and not _HEADER.match(line):
                data = line.encode()
                if several := _find_several(data):
                    block = _add_all(found, _piece(data, several[1])) or block
                    paragraphs, above = 0, stripped
                    continue
        above = stripped or (above if above.endswith((":", "：")) else "")
        if named and len(found) < MAX_RECIPIENTS:
            recipient, rest = named
            block = found.setdefault(recipient.lower(), Block(recipient))
            paragraphs, indent = 0, len(line) - len(line.lstrip())
            line, stripped = rest, rest.strip()
            if not rest:
                continue
        if block is None:
            continue
        if not stripped:
            if block.details:
                paragraphs += 1
                if paragraphs > 2 or telling(block.detail):
                    block = None
            continue
        if "@" in line and (origin := _find_origin(data := line.encode())):
            block.generated_from = address(_piece(data, origin[1]))
        elif stripped not in block.details and len(block.details) < 40 and not _BOILERPLATE.match(line):
            block.details.append(stripped)
    return found


def _continues(above: str, line: str, indent: int) -> bool:
    """Say whether the line goes on with what is said of a recipient: it stands further in, or the one above it was
    wrapped in the middle of a reply."""
    if not above:
        return False
    return len(line) - len(line.lstrip()) > indent or bool(_UNFINISHED.search(above[-60:]))


def _add_all(found: dict[str, Block], listed: str) -> Block | None:
    """Add the recipients that stand on one line, with commas between; what is said after them is said of all."""
    details: list[str] = []
    block = None
    for text in listed.replace(";", ",").split(",")[: MAX_RECIPIENTS - len(found)]:
        if recipient := address(text):
            block = found.setdefault(recipient.lower(), Block(recipient, details))
    return block


def _named(line: str) -> tuple[str, str] | None:
    """Return the recipient that the line is about, and what it says behind it."""
    usual = _USUAL.match(line)
    if usual and (recipient := address(usual[1])):
        return recipient, usual[2] or ""
    x400 = _IN_X400.search(line) if "=" in line else None
    if x400 and (recipient := address(x400[1])):
        return recipient, ""
    if "<" in line:
        line = _GLUED.sub(r"\1 <", line)
    data = line.encode()
    on_line = _find_on_its_line(data)
    if on_line and (recipient := address(_piece(data, on_line[1]).strip("[]'\"").removeprefix("SMTP:"))):
        reason, mark, rest = _piece(data, on_line[2]), _piece(data, on_line[3]), _piece(data, on_line[4])
        rest = "" if _WHEN.match(mark) else rest
        return recipient, f"{reason} {rest.rstrip(')]') if mark in ('(', '[') else rest}".strip()
    after_code = _find_after_code(data) if line[:1] in ("4", "5") else None
    if after_code and (recipient := address(_piece(data, after_code[1]))):
        return recipient, line
    command = _IN_COMMAND.search(line) if line.lstrip()[:4].lower().startswith((">>>", "rcpt")) else None
    if command and (recipient := address(command[1])):
        return recipient, ""
    return None


def _mentions(lines: list[str], block: Block) -> list[str]:
    """Return the lines elsewhere that are about the recipient: those of a transcript, with the answers to it."""
    wanted, found, answers = block.recipient.lower(), list[str](), False
    for line in lines:
        if wanted in line.lower():
            answers = line.startswith(">>>")
            named = _named(line)
            if not answers and not (named and not named[1]) and telling(line) and line.strip() not in block.details:
                found.append(line.strip())
        elif answers and line.startswith("<<<"):
            found.append(line.strip())
        else:
            answers = False
    return found[:20]
