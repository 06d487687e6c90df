"""The rules of the classifier: TOML files, loaded and checked at start, matched in one linear-time pass.

A rule is data: patterns (RE2, over the text as `readable` gives it), what else must hold (other words found or not
found, enhanced status, reply code, command, MTA), and the reason it gives. Which of several rules decides is said by
their precedence, never by their place in a file.
"""

from returpost.bounces.rules.loading import PACKAGED as PACKAGED, load as load
from returpost.bounces.rules.matching import Match as Match, Rules as Rules
from returpost.bounces.rules.model import Placed as Placed, ReasonMeaning as ReasonMeaning, Rule as Rule
from returpost.bounces.rules.rule_registry import RuleRegistry as RuleRegistry
from returpost.bounces.rules.text_normalization import (
    MAX_TEXT as MAX_TEXT,
    NormalizedReply as NormalizedReply,
    fold as fold,
    has_words as has_words,
    readable as readable,
)
