"""Phrases by which people's words for a failed or a delayed delivery are known, by language (ISO 639-1).

 /
In lower case and with single spaces. Each is matched anywhere in subject and notice, so one that an ordinary mail says
too belongs here only when the author, the form or a code of a reply must agree (`parse`).
"""

from collections.abc import Mapping

_FAILURE = {
    "en": """
        could not be delivered / couldn't be delivered / couldn’t be delivered / cannot be delivered /
        can't be delivered / was not delivered / wasn't delivered / not been delivered / unable to deliver /
        undeliverable / undelivered mail / delivery failed / delivery failure / failed to deliver / returned mail /
        returned to sender /
        returning message to sender / returning to sender / mail failed / failed mail /
        failure notice / non-delivery / nondeliverable /
        message rejected / automatically rejected / permanent error / permanent failure / had delivery errors /
        had delivery problems /
        did not reach / user unknown / unknown user / no such user / mailbox full / over quota /
        mail could not be / cannot deliver / delivery has failed / not deliverable / message undelivered /
        return to sender / bounced mail / delivery error / could not deliver / couldn't deliver / couldn’t deliver
    """,
    "no": """
        kunne ikke leveres / kan ikke leveres / ikke levert / kunne ikke bli levert / kan ikke bli levert /
        leveringsfeil / levering mislyktes / mislyktes
    """,
    "da": "ikke leveret / kunne ikke afleveres / leveringsfejl / mislykkedes",
    "sv": """
        kunde inte levereras / kan inte levereras / inte levererats / gick inte att leverera /
        går inte att leverera / leveransfel / misslyckades
    """,
    "is": "ekki var hægt að afhenda / ekki tókst að afhenda",
    "fi": """
        ei voitu toimittaa / ei voida toimittaa / ei voitu välittää / ei toimitettu / toimitus epäonnistui /
        toimittaminen
    """,
    "de": """
        unzustellbar / nicht zustellbar / nicht zugestellt / nicht ausgeliefert / konnte nicht zugestellt /
        zustellung fehlgeschlagen / zustellungsfehler / zustellfehler / nachrichtenzustellung /
        nicht übermittelt
    """,
    "nl": """
        kon niet worden / niet worden bezorgd / niet bezorgd / niet afgeleverd / onbestelbaar /
        bezorging mislukt / is mislukt
    """,
    "fr": """
        n'a pas pu être / n’a pas pu être / n'a pu être / n’a pu être / non remis / non distribu / non délivré /
        pas été distribué / pas été remis / pas été délivré / pas pu remettre / échec de la remise /
        échec de remise / échec de la distribution / échec de distribution / impossible de remettre /
        impossible de délivrer / avis de non-remise / retour à l'expéditeur
    """,
    "es": """
        no se pudo entregar / no se ha podido entregar / no ha podido ser entregado / no pudo ser entregado /
        no se puede entregar / no se ha entregado / no ha sido entregado / no entregado / error en la entrega /
        error de entrega / correo devuelto / mensaje devuelto
    """,
    "ca": "no s'ha pogut lliurar / no s'ha pogut entregar",
    "pt": """
        não pôde ser entregue / não pode ser entregue / não foi entregue / não entregue /
        não foi possível entregar / não é possível entregar / falha na entrega / falha de entrega /
        devolvida ao remetente
    """,
    "it": """
        non recapitabile / impossibile recapitare / mancata consegna / non è stato consegnato /
        non è stato possibile consegnare / non è stato recapitato / non può essere recapitato /
        non può essere consegnato / recapito non riuscito / recapito non è riuscito / mancato recapito
    """,
    "ro": "nu a putut fi livrat / nu s-a putut livra / nu se poate livra / nelivrat / nu a fost livrat",
    "pl": """
        nie mógł zostać dostarczon / nie mogła zostać dostarczon / nie mogła być dostarczon /
        nie została dostarczon / niedostarczon / nie można dostarczyć / nie dostarczono /
        nie udało się dostarczyć / nie powiodło się
    """,
    "cs": "nedoruč / nepodařilo doručit / nelze doručit / nemohla být doručena / nebyla doručena / nezdařilo",
    "sk": "nepodarilo doručiť / nemožno doručiť / nebola doručená",
    "sl": "ni bilo mogoče dostaviti / nedostavljen",
    "hr": "nije isporučen / nije moguće isporučiti / neisporučen / isporuka nije uspjela / није испоручен",
    "hu": """
        kézbesíthetetlen / nem sikerült kézbesíteni / nem kézbesíthető / kézbesítési hiba /
        kézbesítése sikertelen / kézbesítése a következő
    """,
    "tr": "iletilemedi / teslim edilemedi / gönderilemedi / ulaştırılamadı",
    "et": "kohale toimetada / kohaletoimetamine",
    "lv": "nevarēja piegādāt / nav piegādāt / neizdevās piegādāt",
    "lt": "nepavyko pristatyti / nepristatyt / negalima pristatyti",
    "el": """
        δεν παραδόθηκε / δεν ήταν δυνατή η παράδοση / δεν είναι δυνατή η παράδοση / δεν μπόρεσε να παραδοθεί /
        αποτυχία παράδοσης
    """,
    "ru": """
        не может быть доставлен / не доставлен / не было доставлено / не удалось доставить / недоставлен /
        сбой доставки / ошибка доставки / возвращено отправителю / возврат письма
    """,
    "uk": "не вдалося доставити / не може бути доставлен / не доставлено / помилка доставки",
    "bg": "не може да бъде доставен / не беше доставен / не е доставен",
    "ja": """
        送信できません / 送信出来ません / 配信できません / 配信出来ません / 配送できません / お届けできません /
        届けることができません / 送信されません / 配信されません / 配信に失敗 /
        配送に失敗 / 送信に失敗 / 配信不能 / 配送不能 / 届きませんでした
    """,
    "zh": """
        退信 / 无法投递 / 未能送达 / 投递失败 / 无法送达 / 被退回 / 发送失败 / 无法发送 / 未能发送 / 未能向以下 /
        传递失败 / 無法投遞 / 無法傳遞 / 無法傳送 / 無法送達 /
        無法寄達 / 未能送達 / 傳遞失敗 / 寄送失敗
    """,
    "ko": """
        배달되지 / 배달하지 못 / 배달 실패 / 전송되지 못 / 전송되지 않 / 전송하지 못 / 전송 실패 / 발송되지 /
        발송 실패 / 전달되지 않
    """,
    "th": "ไม่สามารถส่ง / ส่งไม่สำเร็จ",
    "vi": "không gửi được / không thể gửi / không thể chuyển / gửi không thành công",
    "id": """
        tidak dapat dikirim / gagal dikirim / tidak terkirim / pengiriman gagal / tidak dapat dihantar /
        gagal dihantar
    """,
    "he": "לא ניתן למסור / לא ניתן היה למסור / לא נמסר / המסירה נכשלה / נכשלה",
    "ar": "تعذر التسليم / تعذر تسليم / تعذّر تسليم / فشل التسليم / لم يتم تسليم / فشل تسليم",
    "fa": "تحویل داده نشد",
}

_NOTICE = {"en": "delivery status notification / mail delivery / delivery to the following"}
_DELIVERED = {
    "en": """
        has been delivered to the following / was delivered to the following / successfully delivered /
        delivered successfully / delivery to these recipients or groups is complete / successful mail delivery /
        no delivery notification was sent by the destination
    """,
    "no": "er levert til / ble levert til / har blitt levert til",
    "da": "er leveret til / blev leveret til",
    "sv": "har levererats till / levererades till",
    "fi": "on toimitettu seuraaville",
    "de": "folgenden empfänger übermittelt / erfolgreich zugestellt / wurde an die folgenden empfänger zugestellt",
    "nl": "is bezorgd bij / is afgeleverd bij",
    "fr": "a été remis aux destinataires / a bien été remis / remis avec succès",
    "es": "se entregó a los siguientes / se ha entregado a los siguientes / entregado correctamente",
    "pt": "foi entregue aos seguintes / entregue com êxito / entregue com sucesso",
    "it": "è stato recapitato ai seguenti / è stato consegnato ai seguenti / recapitato correttamente",
    "pl": "została dostarczona do następujących / dostarczono do następujących",
    "ru": "доставлено следующим получателям / успешно доставлено",
    "ja": "次の受信者に配信されました / 正常に配信されました",
    "zh": "已送达以下收件人 / 已传递给以下收件人 / 已傳遞給下列收件者",
}

_DELAY = {
    "en": """
        has been delayed / is delayed / delivery delayed / delayed mail / delivery is taking longer /
        not yet been delivered / warning message only / message will be retried / will keep trying /
        will continue to try / will continue to be attempted / delivery attempts will continue /
        you do not need to resend / have not yet been able to deliver / could not be delivered yet /
        still being retried / transient non-fatal errors / has not yet been delivered /
        delay in message delivery / temporary problem delivering / temporary failure report /
        have yet to be delivered / has yet to be delivered / message frozen / has been frozen
    """,
    "no": "er forsinket / har blitt forsinket",
    "sv": "är försenad / har försenats / fördröjts",
    "fi": "viivästy",
    "de": "verzögert / verzögerung / noch nicht zugestellt",
    "nl": "vertraagd",
    "fr": "est différée / est retardée / a été retardé / n'a pas encore pu / pas encore été remis",
    "es": "se ha retrasado / se retrasó / ha sido aplazad",
    "pt": "está atrasada / foi adiada / ainda não foi entregue",
    "it": "è in ritardo / è stata ritardata / non è ancora stato",
    "pl": "opóźnion",
    "cs": "zpožděn",
    "ru": "задерживается / доставка отложена",
    "ja": "遅延 / 遅れています",
    "zh": "延迟 / 延遲",
    "ko": "지연",
}

_GIVEN_UP = {
    "en": """
        permanent error / failed permanently / permanent failure / given up / permanent fatal errors /
        not going to try again
    """,
    "no": "permanent feil",
    "de": "dauerhafter fehler / endgültig",
    "fr": "erreur permanente / échec définitif",
    "es": "error permanente",
    "it": "errore permanente",
    "pt": "erro permanente",
    "ru": "постоянная ошибка",
}

_REFUSED = {
    "en": """
        was rejected / has been rejected / been rejected / was refused / been refused / not a valid user /
        no valid recipient / mail failure / message failure / could not be sent / not be sent / been blocked /
        was blocked / blocked by / has blocked a / has blocked the / was deleted because /
        virus / infected / banned / malicious / not accepting mail / does not exist /
        doesn't exist / doesn’t exist / unrouteable / unroutable / can not be delivered / bounce notification /
        undeliverable / wasn't found / wasn’t found / couldn't be found / couldn’t be found / could not be found /
        mail system error / no delivery could be attempted / incorrectly constructed / unknown recipient /
        recipient unknown / no longer / not exist / invalid recipient / invalid address / not known
    """,
    "no": "ble avvist / er avvist / ble blokkert / inneholder virus / finnes ikke",
    "da": "blev afvist / er afvist / findes ikke",
    "sv": "avvisades / har avvisats / blockerades / finns inte",
    "de": "wurde abgelehnt / wurde abgewiesen / wurde blockiert / existiert nicht / unbekannt / enthält einen virus",
    "nl": "is geweigerd / werd geweigerd / bestaat niet / onbekend",
    "fr": "a été rejeté / a été refusé / a été bloqué / n'existe pas / n’existe pas / inconnu",
    "es": "ha sido rechazado / fue rechazado / no existe / desconocido / bloqueado",
    "pt": "foi rejeitad / não existe / desconhecido / bloquead",
    "it": "è stato respinto / è stato rifiutato / non esiste / sconosciut / bloccat",
    "pl": "została odrzucona / nie istnieje / zablokowan",
    "ru": "отклонено / не существует / заблокирован",
    "ja": "拒否されました / 存在しません / 見つかりません",
    "zh": "被拒绝 / 不存在 / 被拒絕",
}


def _all(by_language: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(" ".join(phrase.split()) for text in by_language.values() for phrase in text.split("/"))


FAILURE_PHRASES = _all(_FAILURE)
NOTICE_PHRASES = _all(_NOTICE)
"""That it is a notice: of a failure, unless it says otherwise."""
DELIVERED_PHRASES = _all(_DELIVERED)
DELAY_PHRASES = _all(_DELAY)
GIVEN_UP_PHRASES = _all(_GIVEN_UP)
"""That the sender has stopped trying, whatever else the notice says of delays."""
REFUSED_PHRASES = _all(_REFUSED)
"""That something was refused, blocked or not found."""
