"""Words that were replaced by the field's own, and where each must not come back.

A word that is right elsewhere is matched in its context: with the folders it had its old meaning in, or with the words
around it.
"""

import re
from dataclasses import dataclass

ALL = ("returpost/", "shared/", "services/", "deploy/", "bench/", "tests/")


@dataclass(frozen=True, slots=True)
class Old:
    """Words that are replaced, as a pattern of whole words, below these folders."""

    pattern: str
    instead: str
    below: tuple[str, ...] = ALL

    def find(self, text: str) -> str | None:
        found = re.search(rf"(?<![\w]){self.pattern}(?![\w])", text)
        return found[0] if found else None


IDENTIFIERS = (
    # platform
    Old("Work|Effects", "UnitOfWork, UnitOfWorkFactory"),
    Old("Direct", "DirectPublisher"),
    Old("publish_or_bury|_bury|bury", "publish_or_dead_letter"),
    Old("vital", "required_for_readiness"),
    Old("_strange", "routing_key_mismatch"),
    Old("_hold_until_done", "retry_while_unavailable"),
    Old("faults", "transient_errors", ("shared/",)),
    Old("editing", "preconditions", ("shared/",)),
    Old("Limited", "RateLimitMiddleware", ("shared/",)),
    Old("TokenFirst", "AuthMiddleware"),
    Old("BoundedBody", "MaxBodyMiddleware"),
    Old("Traced", "TraceContextMiddleware"),
    Old("refuse_clearly", "install_exception_handlers"),
    Old("opens|streams|shows", "allow_anonymous, allow_streaming_bodies, add_health_check", ("shared/service.py",)),
    Old("ended", "cancel_and_wait", ("returpost/amqp/",)),
    Old("AWAY", "CONNECTION_ERRORS", ("returpost/amqp/", "shared/")),
    Old("leave", "close", ("returpost/amqp/",)),
    Old("attached|Arriving", "open_stream, StreamReader", ("returpost/amqp/", "shared/")),
    Old("written|Written", "encode_event, EncodedEvent", ("returpost/contracts/",)),
    Old("packed", "compressed_search", ("shared/",)),
    Old("traces|Traces", "residual_search", ("shared/",)),
    Old("follow|hear", "consume", ("shared/http/",)),
    Old("_spare_the_collector", "tune_gc"),
    Old("letter|letters|Letter|Letters|_letter|take_letters", "dead_letter", ("shared/", "services/replay/")),
    # ingest
    Old("Spool|Postbox", "MaildirPoller, ImapPoller", ("services/ingest/",)),
    Old("Sorter", "TenantRouter"),
    Old("believe", "verify_chain"),
    Old("Straight", "FastPathMiddleware"),
    Old("give_way", "yield_to_requests"),
    Old("came_by", "source", ("services/ingest/",)),
    Old("mailroom", "mail ingestion"),
    # classifier
    Old("pace|keep_pace|hold_pace", "domain_rate_limit", ("services/classifier/",)),
    Old("interventions|intervene|Intervention", "retry_admin", ("services/classifier/", "returpost/cli/")),
    Old("template|templates|Template", "fingerprint", ("services/classifier/",)),
    Old("healed", "recovered"),
    Old("settle|settled", "record_outcome", ("services/classifier/",)),
    Old("hurry|HURRY", "run_now"),
    Old("Said|RuleBook", "NormalizedReply, RuleRegistry", ("returpost/bounces/",)),
    Old("holding|doubts", "matching_rules, warnings", ("returpost/bounces/rules/",)),
    # blocklist
    Old("undoing|what_if|prefilter|storm_watch|lists_and_checks|reassess", "the names in VOCABULARY"),
    Old("take_in_hand|take_in", "lock_or_create", ("services/blocklist/",)),
    Old("standing|stand", "address_state, evaluate", ("services/blocklist/",)),
    Old("Known|Line", "AddressRecord, HistoryEntry", ("services/blocklist/",)),
    Old("spares", "exempt_streams", ("services/blocklist/",)),
    # actions
    Old("Wanted|plans", "ViewQuery, view_queries", ("services/actions/",)),
    Old("say_again", "republish"),
    Old("chosen", "target", ("services/actions/",)),
    # console
    Old("Keeper", "SessionRefresher"),
    Old("entrance", "standalone_pages"),
    # returpost, deploy, bench, tests
    Old(
        "told|asked",
        "a word for the thing",
        ("returpost/client/", "shared/", "services/classifier/", "services/replay/"),
    ),
    Old("draw_secrets", "generate_secrets"),
    Old("World|saying|hearing|operating", "Harness, builders, probes, operations_api", ("tests/",)),
)
"""Old names in Python: parts of the code that are names of modules, classes, functions, variables, attributes."""

ROUTES = (
    Old(r"/v1/traces\b", "/v1/residual-searches"),
    Old(r"/v1/retries/interventions\b", "/v1/retries/actions"),
    Old(r"/v1/unknown\b(?!-)", "/v1/unknown-texts"),
    Old(r"/v1/settings/what-if\b", "/v1/settings/preview"),
    Old(r"/v1/raw-reports\b", "/v1/raw-messages"),
)
"""Old routes, in the OpenAPI documents."""

WIRE = (
    Old(r"contact\.told|selection\.told|project\.told|mailing\.told", "<noun>.upsert"),
    Old(r"provider\.payload|report\.arrived|letter\.died", "provider-payload.process, raw-message.store"),
)
"""Old types of events and commands, in the AsyncAPI documents."""

MESSAGES = (
    Old("other rules are in force", "rules reloaded"),
    Old("the infrastructure is away", "database or broker unavailable"),
    Old("you would shut yourself out", "cannot remove your own administrator access"),
    Old("no mark", "invalid cursor"),
    Old(r"Every letter\.", "All dead letters."),
    Old(r"[Ww]hich ones\?", "Specify at least one filter."),
    Old(r"[Ww]hich letters\?", "Specify at least one filter."),
    Old("RabbitMQ gave it up", "dead-lettered by RabbitMQ"),
    Old("no such letter", "dead letter not found"),
)
"""Old sentences, in string literals of the code."""

HEADINGS = (
    Old("The words", "Glossary"),
    Old("Where to read on", "Next steps"),
    Old("Once in effect", "Idempotency"),
    Old("What shall be done", "Commands"),
    Old("What has happened", "Events"),
    Old("If you are on call", "Operating"),
    Old("How fast, how sure", "Performance and accuracy"),
    Old("Ways in for mails", "Mail sources"),
    Old("What we hold to", "Conventions"),
    Old("Of a crowd the bodies are confirmed", "Load shedding by deferral"),
    Old("A webhook is a place in the stream", "Outbound webhooks are stream consumers"),
    Old(r"Who is it that is unknown\?", 'Negative patterns for "unknown"'),
)
"""Old headings, in Markdown."""
