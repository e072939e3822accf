import pytest

from rozaneh.core import LocalFault
from rozaneh.words import Words, language


@pytest.mark.parametrize(
    ("asked", "environment", "spoken"),
    [
        ("fa", {"LANG": "en_GB.UTF-8"}, "fa"),
        ("fa-IR", {}, "fa"),
        ("EN", {"ROZANEH_LANG": "fa"}, "en"),
        (None, {}, "en"),
        (None, {"LANG": "fa_IR.UTF-8"}, "fa"),
        (None, {"LANG": "C.UTF-8"}, "en"),
        (None, {"LANG": "fa_IR", "LC_ALL": "C"}, "en"),
        (None, {"LANG": "en_US", "LC_MESSAGES": "fa_IR@x"}, "fa"),
        (None, {"LC_ALL": "en_US", "LANGUAGE": "de:fa:en"}, "fa"),
        (None, {"LANGUAGE": "de", "LANG": "fa_IR"}, "en"),
        (None, {"LANGUAGE": "", "LANG": "fa_IR"}, "fa"),
        ("", {"ROZANEH_LANG": "fa", "LANGUAGE": "en"}, "fa"),
    ],
)
def test_who_decides_the_language(asked: str | None, environment: dict[str, str], spoken: str) -> None:
    assert language(asked, environment) == spoken
    assert Words.choose(asked, environment).language == spoken


def test_a_language_that_we_do_not_speak_is_a_fault_with_those_that_we_do() -> None:
    with pytest.raises(LocalFault, match=r"--lang 'de': Rozaneh speaks en and fa"):
        language("de", {})
