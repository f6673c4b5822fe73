import pytest

from synth.languages import LANGUAGES, other_language

TEXTS = {
    "en": "What is the area of a rectangle with sides of 3 cm and 4 cm?",
    "de": "Wie groß ist der Flächeninhalt eines Rechtecks mit den Seiten 3 cm und 4 cm?",
    "fr": "Quelle est l'aire d'un rectangle dont les côtés mesurent 3 cm et 4 cm dans le plan?",
    "es": "¿Cuál es el área de un rectángulo cuyos lados miden 3 cm y 4 cm?",
    "pt": "Qual é a área de um retângulo com os lados de 3 cm e 4 cm?",
    "it": "Qual è l'area di un rettangolo che ha i lati di 3 cm e 4 cm nel piano?",
    "nl": "Wat is de oppervlakte van een rechthoek met zijden van 3 cm en 4 cm?",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_question_is_in_its_own_language_and_in_no_other(language):
    assert other_language(TEXTS[language], language) is None
    for expected in LANGUAGES:
        if expected != language:
            assert other_language(TEXTS[language], expected) is not None, expected


def test_other_letters_are_told():
    assert "CYRILLIC" in other_language("Чему равна сумма двух чисел?", "en")
    assert "CJK" in other_language("计算 3 + 4 的结果是多少", "en")


@pytest.mark.parametrize(
    "text",
    [
        "\\( 3 + 4 = \\)",
        "Simplify \\( \\frac{2}{4} \\)",
        "Express the following as a single fraction, writing your answer as simply as possible: \\( \\frac{1}{s} \\)",
        "Which angle is α, if β is twice θ and γ is half of π?",
        "Calculate y e o a",
    ],
)
def test_maths_and_short_texts_pass(text):
    assert other_language(text, "en") is None


def test_a_long_text_without_any_common_word_is_told():
    text = "foo bar baz qux quux corge grault garply waldo fred plugh xyzzy thud"
    assert "none of the commonest words" in other_language(text, "en")


@pytest.mark.eedi
def test_no_real_question_reads_like_another_language(eedi):
    from core.tables import read_questions

    questions = read_questions(eedi / "train.csv").questions
    assert [question.id for question in questions if other_language(question.text, "en")] == []
