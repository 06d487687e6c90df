"""What a rule file says: rules, what reasons mean, and what codes stand for."""

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from returpost.contracts.enums import Command, Fault, Reason, VerdictType

Precedence = int
"""0 to 1000; the rule with the highest decides. The packaged files' ladder: docs/how-to/operator/rules.md."""


class Rule(BaseModel):
    """One rule as it stands in its file. All conditions that it has must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    reason: Reason
    precedence: Precedence | None = Field(default=None, ge=0, le=1000)
    """Goes before rules with less; the file's when none is given."""
    patterns: tuple[str, ...] = ()
    """Any of these (RE2) must be found in the text as `readable` gives it."""
    also: tuple[str, ...] = ()
    """Any of these must be found, too."""
    unless: tuple[str, ...] = ()
    """None of these may be found."""
    status: tuple[str, ...] = ()
    """The enhanced status must begin with one of these (`5.1.` or `5.1.1`; `x.` stands for any class)."""
    unless_status: tuple[str, ...] = ()
    """The enhanced status must not begin with any of these."""
    reply_code: tuple[int, ...] = ()
    without_code: bool = False
    """No reply code: the words are not a remote server's, but of who reports."""
    command: tuple[Command, ...] = ()
    """The reply must be known to answer one of these SMTP commands."""
    unless_command: tuple[Command, ...] = ()
    """The reply must not be known to answer any of these."""
    report: bool | None = None
    """Only what a bounce mail said (true), or only what a sender, log or webhook said (false)."""
    provider: str | None = None
    """The remote or reporting MTA, or the text, must name a host of this provider (`[providers]` of tables.toml)."""
    mta: str | None = None
    """Must be found in the name of the remote or reporting MTA, or in the text."""
    provider_codes: tuple[str, ...] = ()
    """Any of these (RE2) must be found in what the provider itself says, `<provider>: <code>/<code>` in small letters
    and with `_` for blanks; such a rule asks for no `patterns`."""
    suppressed: bool = False
    """Holds as well when the provider has sent nothing, for an earlier failure."""
    type: Literal["hard", "soft"] | None = None
    """Overrides what the reason and the class of the reply say."""
    proven: bool = False
    """The words alone prove that there is no such mailbox, whatever command was answered: a provider's own."""
    clear: bool = False
    """The words prove it where a bounce mail does not tell what was answered, whatever the status says."""
    confidence: float = Field(default=0.9, gt=0, le=1)
    examples: tuple[str, ...] = ()
    """Texts that this rule must decide; checked whenever the rules are loaded."""
    counter_examples: tuple[str, ...] = ()
    """Texts that look alike and that this rule must not decide."""
    source: str | None = None
    """Where the wording is documented or who uses it."""

    @model_validator(mode="after")
    def _words_or_codes(self) -> "Rule":
        if self.patterns and (self.provider_codes or self.suppressed):
            raise ValueError("patterns: not together with provider_codes or suppressed")
        return self

    @property
    def conditions(self) -> int:
        """How many conditions there are beside the words: with the same precedence, the more special rule decides."""
        narrowing = (
            self.also, self.status, self.reply_code, self.command, self.provider, self.mta, self.without_code,
        )  # fmt: skip
        return sum(map(bool, narrowing)) + (self.report is not None)


class Placed(NamedTuple):
    """A rule, its file, and its precedence."""

    file: str
    rule: Rule
    precedence: int

    @property
    def name(self) -> str:
        """Return how verdicts name the rule."""
        return f"{self.file}.{self.rule.name}"


class ReasonMeaning(BaseModel):
    """What a reason means, whatever rule found it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: Fault
    dead: bool = False
    """The address or its domain is dead, when the failure is permanent."""
    type: VerdictType
    """hard: a permanent reply with this reason is final; soft: it is retried whatever the class of the reply."""


class RuleFile(BaseModel):
    """A file of rules."""

    model_config = ConfigDict(extra="forbid")

    about: str
    precedence: Precedence | None = Field(default=None, ge=0, le=1000)
    """Of its rules; files of one's own without one go before all packaged ones."""
    rule: list[Rule] = Field(default_factory=list)


class Tables(BaseModel):
    """The file `tables.toml`."""

    model_config = ConfigDict(extra="forbid")

    about: str
    version: str = Field(pattern=r"^[0-9a-z.-]{1,20}$")
    """Of the packaged rules; raised when they change."""
    reasons: dict[Reason, ReasonMeaning]
    status: dict[str, Reason]
    reply_code: dict[str, Reason]
    others: tuple[str, ...] = ()
    """What is not there is something or somebody else than the recipient, or perhaps not: when any of these (RE2) is
    found, no packaged rule calls an address dead. `{name}` stands for any word of that kind."""
    others_status: tuple[str, ...] = ()
    """Enhanced statuses that are said of others: with one of them words alone make no user unknown."""
    kinds: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Kinds of words (RE2) that `others` speaks of."""
    providers: dict[str, str] = Field(default_factory=dict)
    """Names of providers, with what is found in the names of their hosts."""
