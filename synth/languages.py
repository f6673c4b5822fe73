"""Which language a text is in, as far as its commonest words and its letters tell: enough to see a wrong one."""

import re
import unicodedata
from collections import Counter

# Without words that are English ones too ("as", "in"), but for those of English, and without letters that maths uses.
_WORDS = {
    "en": "the of and to in is what which how many are there that with for from each has have find if by on at be it "
    "this she he her his they their does work out calculate write below can a as an",
    "de": "der das und ist ein eine einen wie viele welche welcher sind den dem des von mit für auf im wird nicht aus "
    "bei zu als auch berechne wenn jede jeder",
    "fr": "le la les des et est un une quel quelle combien dans avec que qui il elle sont du au aux ce cette ne pas "
    "chaque calculer si",
    "es": "el la los las de un una qué cuál cuántos cuántas en para que del al se su cada si tiene calcula cuánto hay",
    "pt": "os de é um uma qual quantos quantas em para com por que são da dos das na se cada tem calcule quanto há",
    "it": "il lo la gli le di è un una quale quanti quante che sono del della dei nel se ogni calcola quanto",
    "nl": "de het een en wat welke hoeveel voor op dat zijn er aan bij wordt niet als elke heeft bereken zij hij",
}
LANGUAGES = tuple(_WORDS)
_SETS = {language: frozenset(words.split()) for language, words in _WORDS.items()}
_NOT_WORDS = re.compile(r"\\\(.*?\\\)|\\\[.*?\\\]|\$\$.*?\$\$|\\[A-Za-z]+", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]{1,}")
_FEWEST_WORDS = 6
_LONG = 12
_OTHER_LETTERS = 0.2


def other_language(text: str, expected: str) -> str | None:
    """Return what speaks against a text being in the expected language, or None.

    A short text, or one that is mostly maths, tells nothing and passes. Greek letters count as maths.

    Args:
        text: A question; LaTeX is left aside.
        expected: One of `LANGUAGES`.

    Returns:
        E.g. `reads like fr`, `most letters are CYRILLIC`.
    """
    words = [word.casefold() for word in _WORD.findall(_NOT_WORDS.sub(" ", text))]
    scripts = Counter(unicodedata.name(letter, "?").split()[0] for word in words for letter in word)
    scripts.pop("GREEK", None)
    total = scripts.total()
    foreign = total - scripts["LATIN"]
    if total and foreign > _OTHER_LETTERS * total:
        name = max((script for script in scripts if script != "LATIN"), key=lambda script: scripts[script])
        return f"{foreign} of {total} letters are {name}"
    if len(words) < _FEWEST_WORDS:
        return None
    found = {language: sum(word in known for word in words) for language, known in _SETS.items()}
    best = max(found, key=lambda language: found[language])
    if not found[expected] and len(words) >= _LONG:
        return f"none of the commonest words of {expected} in {len(words)} words"
    # One word more may be chance ("in" and "die" are words of several languages).
    return f"reads like {best}" if found[best] > found[expected] + 1 else None
