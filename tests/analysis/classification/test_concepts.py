"""The concepts of messages: what is classified where no rule of the catalogue matches, in thirteen languages."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
from analysis.classification.catalogue import CAUSES, UNKNOWN
from analysis.classification.concepts.concepts import load_rules, match_concepts
from analysis.classification.concepts.lexicon import find_concepts, fold, load_lexicon, read_entries
from tests.support.examples import examples

SENTENCES = {
    "record-locked": [
        "The order was submitted and can no longer be edited",
        "Der Besuch ist bereits genehmigt und kann nicht bearbeitet werden",
        "Cette visite est approuvée et ne peut pas être modifiée",
        "El pedido ya fue aprobado y no se puede modificar",
        "A visita foi aprovada e não pode ser alterada",
        "La visita è stata approvata e non può essere modificata",
        "Het bezoek is goedgekeurd en kan niet worden gewijzigd",
        "Wizyta została zatwierdzona i nie można jej edytować",
        "Визит утверждён, изменить его нельзя",
        "承認済みの訪問は編集できません",
        "该拜访已审批，无法修改",
        "승인된 방문은 수정할 수 없습니다",
    ],
    "concurrent-change": [
        "Somebody else saved this visit while you were working on it",
        "Ein anderer Benutzer hat den Eintrag inzwischen geändert",
        "Un autre utilisateur a modifié la fiche entre-temps",
        "Otro usuario ha modificado la ficha mientras tanto",
        "Outro usuário alterou a ficha nesse meio tempo",
        "Un altro utente ha modificato la scheda nel frattempo",
        "Een andere gebruiker heeft de gegevens intussen gewijzigd",
        "Inny użytkownik zmienił wpis w międzyczasie",
        "Kayıt başka bir kullanıcı tarafından değiştirildi",
        "Запись была изменена другим пользователем",
        "他のユーザが先に更新しました",
        "其他用户已修改此记录",
        "다른 사용자가 이미 수정했습니다",
    ],
    "record-deleted": [
        "The customer no longer exists",
        "Der Kunde existiert nicht mehr",
        "Le client n’existe plus",
        "El cliente ya no existe",
        "O cliente foi excluído",
        "Il cliente è stato eliminato",
        "De klant bestaat niet meer",
        "Klient został usunięty",
        "Müşteri kaydı silinmiş",
        "Клиент был удалён",
        "顧客は削除されています",
        "客户已被删除",
        "고객이 삭제되었습니다",
    ],
    "required-field": [
        "A value is missing although the field is mandatory",
        "Der Wert fehlt, ist aber Pflicht",
        "Ce champ est obligatoire et ne peut pas rester vide",
        "El campo es obligatorio y está vacío",
        "O campo é obrigatório e está vazio",
        "Il campo è obbligatorio e non può essere vuoto",
        "Het veld is verplicht en mag niet leeg zijn",
        "Pole jest wymagane i nie może być puste",
        "Bu alan zorunludur ve boş olamaz",
        "Поле обязательно, но не заполнено",
        "必須の項目が未入力です",
        "必填字段不能为空",
        "필수 필드가 비어 있습니다",
    ],
    "device-clock": [
        "The clock of this tablet is wrong",
        "Die Uhr des Geräts geht falsch",
        "L’heure de la tablette est incorrecte",
        "La hora de la tableta está mal",
        "A hora do aparelho está errada",
        "L’ora del dispositivo è sbagliata",
        "De klok van het apparaat loopt achter",
        "Zegar urządzenia jest nieprawidłowy",
        "Cihazın saati yanlış",
        "Часы устройства идут неверно",
        "端末の時刻がずれています",
        "设备时间不正确",
        "기기의 시간이 잘못되었습니다",
    ],
    "server-unavailable": [
        "The service is under maintenance",
        "Der Dienst wird gerade gewartet",
        "Le service est en cours d’entretien",
        "El servicio está en mantenimiento",
        "O serviço está em manutenção",
        "Il servizio è in manutenzione",
        "De dienst is in onderhoud",
        "Trwa konserwacja usługi",
        "Hizmet bakımda",
        "Ведутся технические работы на сервере",
        "サービスはメンテナンス中です",
        "服务正在维护",
        "서비스 점검 중입니다",
    ],
    "session-expired": [
        "Your session has ended",
        "Die Sitzung ist abgelaufen",
        "La session a expiré",
        "La sesión ha caducado",
        "A sessão expirou",
        "La sessione è scaduta",
        "De sessie is verlopen",
        "Sesja wygasła",
        "Oturumun süresi doldu",
        "Срок действия сеанса истёк",
        "セッションの有効期限が切れました",
        "会话已失效",
        "세션이 만료되었습니다",
    ],
    "device-storage-full": [
        "There is no space left on the tablet’s storage",
        "Der Speicherplatz des Geräts ist voll",
        "L’espace de stockage est insuffisant",
        "No hay suficiente espacio en el dispositivo",
        "Espaço insuficiente no aparelho",
        "Spazio insufficiente sul dispositivo",
        "Onvoldoende opslagruimte op het apparaat",
        "Za mało miejsca na urządzeniu",
        "Cihazda depolama alanı yetersiz",
        "На устройстве недостаточно памяти",
        "端末の空き容量が不足しています",
        "设备存储空间不足",
        "기기의 저장 공간이 부족합니다",
    ],
    "object-permission": [
        "You lack the right to add visits",
        "Ihnen fehlt die Berechtigung, Besuche anzulegen",
        "Vous n’avez pas le droit de créer des visites",
        "No tiene permiso para crear visitas",
        "Você não tem permissão para criar visitas",
        "Non hai i permessi per creare visite",
        "U hebt geen toestemming om bezoeken aan te maken",
        "Nie masz uprawnień do tworzenia wizyt",
        "Ziyaret oluşturmak için yetkiniz yok",
        "Нет прав на создание визитов",
        "訪問を作成する権限がありません",
        "您没有创建拜访的权限",
        "방문을 생성할 권한이 없습니다",
    ],
}
"""A basic sentence of each cause by language, written for this test."""

SAYING_NOTHING = [
    "Something went wrong",
    "Es ist ein Fehler aufgetreten",
    "Une erreur est survenue",
    "Algo salió mal",
    "Ocorreu um erro inesperado",
    "Si è verificato un errore",
    "Er is iets misgegaan",
    "Wystąpił nieznany błąd",
    "Bir hata oluştu",
    "Произошла неизвестная ошибка",
    "予期しないエラーが発生しました",
    "发生未知错误",
    "알 수 없는 오류가 발생했습니다",
    "Please try again later",
    "Bitte versuchen Sie es später erneut",
]


def find_cause(message: str, **fields: object) -> str:
    frame = pd.DataFrame([{"message": message, **fields}])
    return str(analysis.classify(frame, rules_only=True).loc[0, "cause"])


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [(cause, sentence) for cause, sentences in SENTENCES.items() for sentence in sentences],
)
def test_a_basic_sentence_has_its_cause_in_every_language(cause, sentence):
    assert find_cause(sentence) == cause


@pytest.mark.parametrize("sentence", SAYING_NOTHING)
def test_a_sentence_that_states_no_cause_stays_unknown(sentence):
    assert find_cause(sentence) == UNKNOWN


@pytest.mark.parametrize(
    ("message", "status", "cause"),
    [
        ("An entry with this code is there already", 412, "duplicate-record"),
        ("Der Benutzer hat keine Berechtigung, Besuche zu ändern", 423, "object-permission"),
        ("", 423, "concurrent-change"),
    ],
)
def test_a_sentence_outranks_its_http_status(message, status, cause):
    assert find_cause(message, http_status=status) == cause


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("The customer was deleted. Please try again later.", "record-deleted"),
        ("Keine Berechtigung für diesen Besuch. Melden Sie sich neu an.", "object-permission"),
        ("El registro está bloqueado. Inténtelo más tarde.", "record-locked"),
    ],
)
def test_advice_is_no_evidence(message, cause):
    causes = analysis.classify(pd.DataFrame({"message": [message]}), rules_only=True).loc[
        0, ["cause", "also"]
    ]
    assert cause in {causes["cause"], *causes["also"]}


@pytest.mark.parametrize(
    ("sentence", "cause"),
    [
        ("No tiene permiso para modificar el campo Fax", "field-permission"),
        ("Você não tem permissão para alterar o campo Fax", "field-permission"),
        ("Non hai l'autorizzazione per modificare il campo Fax", "field-permission"),
        ("No tiene permiso para crear pedidos", "object-permission"),
        ("La cuenta de usuario está bloqueada por demasiados intentos", "sign-in-failed"),
        ("El informe firmado ya no se puede modificar", "record-locked"),
        ("Il rapporto firmato non è più modificabile", "record-locked"),
        ("O relatório assinado não pode ser alterado", "record-locked"),
    ],
)
def test_the_more_specific_concepts_decide(sentence, cause):
    match = match_concepts(sentence, CAUSES)
    assert match is not None
    assert match.rule.cause == cause
    assert not match.rule.weak


@pytest.mark.parametrize("sentence", ["El registro está bloqueado", "Il record è bloccato", "记录已锁定"])
def test_a_locked_record_alone_is_only_possible(sentence):
    """A lock by another user and a final state are two causes; the sentence names neither."""
    match = match_concepts(sentence, CAUSES)
    assert match is None or match.rule.weak


@pytest.mark.parametrize("text", ["API는 사용할 수 없습니다", "2つのAPIが無効"])
def test_a_word_before_a_sign_without_a_space_is_found(text):
    assert "api_access" in find_concepts(text)


def test_names_and_addresses_are_no_words():
    assert match_concepts("account__v.locked_record https://locked.example/record", CAUSES) is None


def test_a_finding_whose_concepts_differ_is_less_certain():
    """The code and the sentence contradict each other."""
    frame = pd.DataFrame(
        {"error_type": ["UNABLE_TO_LOCK_ROW"] * 2, "message": ["", "The session has expired"]}
    )
    findings = analysis.classify(frame, rules_only=True)
    assert findings.loc[1, "confidence"] < findings.loc[0, "confidence"]
    assert {"concurrent-change", "session-expired"} <= {findings.loc[1, "cause"], *findings.loc[1, "also"]}


def test_every_rule_has_a_known_cause_and_an_id_of_its_own():
    rules = load_rules().rules
    assert {cause for rule in rules for cause in (rule.cause, *rule.also)} <= set(CAUSES)
    assert len({rule.id for rule in rules}) == len(rules)


@settings(max_examples=examples(100), deadline=None)
@given(st.sampled_from(read_entries()), st.sampled_from(["{}", "( {} )", "17 {} 4", "«{}»"]))
def test_every_word_of_the_lexicon_is_found_in_a_text(entry, frame):
    concept, word = entry
    text = frame.format(word.replace(" .. ", " x ").replace("*", ""))
    assert concept in find_concepts(text)


@settings(max_examples=examples(100), deadline=None)
@given(st.text(max_size=300))
def test_any_text_can_be_read(text):
    spans = find_concepts(text)
    assert spans.keys() <= load_lexicon().concepts
    length = len(fold(text))
    assert all(0 <= start < end <= length for places in spans.values() for start, end in places)


@settings(max_examples=examples(50), deadline=None)
@given(st.lists(st.sampled_from(SENTENCES["required-field"] + SAYING_NOTHING), min_size=1, max_size=4))
def test_the_order_of_messages_does_not_matter(messages):
    frame = pd.DataFrame({"message": messages})
    findings = analysis.classify(frame)
    reverse = analysis.classify(frame[::-1])
    assert list(findings["cause"]) == list(reverse["cause"][::-1])
