"""One message to one channel, by whatever it is reached."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.alerts.delivery import smtp
from services.alerts.delivery.smtp import MailServer
from services.alerts.domain.alert import Alert
from services.alerts.domain.channel import Channel, ChannelKind
from services.alerts.domain.wording import paragraph, trial_words, words
from services.alerts.formats import email, slack, teams, webhook
from shared.outbound.answer import Answer
from shared.outbound.http_sender import HttpSender


@dataclass(frozen=True, slots=True)
class Transport:
    """How messages leave this process."""

    sender: HttpSender
    mail_server: MailServer | None
    mail_from: str
    smtp_timeout: timedelta
    console_url: str = ""

    async def close(self) -> None:
        """Close the connections."""
        await self.sender.close()

    async def send(self, channel: Channel, alerts: Sequence[Alert], id_: str, formed_at: datetime) -> Answer:
        """Send a message and return what came of it; raises nothing that a channel can bring about."""
        if channel.kind is ChannelKind.WEBHOOK:
            each = [paragraph(alert, channel.language, channel.zone, self.console_url) for alert in alerts]
            return await self._post(channel, id_, webhook.raised(each))
        told = words(alerts, channel.language, channel.zone, self.console_url)
        match channel.kind:
            case ChannelKind.EMAIL:
                mail = email.email(told, self.mail_from, channel.recipients, id_, formed_at)
                return await smtp.send(self.mail_server, mail, self.smtp_timeout)
            case ChannelKind.SLACK:
                return await self._post(channel, id_, slack.slack(told))
            case ChannelKind.TEAMS:
                return await self._post(channel, id_, teams.teams(told))

    async def trial(self, channel: Channel, id_: str, by: str, now: datetime) -> Answer:
        """Send a message that only tries out the channel, and return what came of it."""
        title, text = trial_words(channel.language, channel.name)
        match channel.kind:
            case ChannelKind.EMAIL:
                mail = email.trial_email(title, text, self.mail_from, channel.recipients, id_, now, channel.language)
                return await smtp.send(self.mail_server, mail, self.smtp_timeout)
            case ChannelKind.SLACK:
                return await self._post(channel, id_, slack.trial(title, text))
            case ChannelKind.TEAMS:
                return await self._post(channel, id_, teams.trial(title, text))
            case ChannelKind.WEBHOOK:
                return await self._post(channel, id_, webhook.trial(channel.name, id_, channel.tenant, by, now))

    async def _post(self, channel: Channel, id_: str, body: bytes) -> Answer:
        answer = await self.sender.post(channel.url, id_, body, [channel.secret] if channel.secret else [])
        if answer.good or not answer.text or channel.kind is ChannelKind.WEBHOOK:
            return answer
        return replace(answer, problem=f"{answer.problem}: {answer.text}"[:200])  # Slack and Teams say what is wrong
