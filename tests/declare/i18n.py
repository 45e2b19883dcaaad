"""Two languages: who speaks which, until when, and times in words."""

import locale
import threading

import pytest

from phantastic.declare.i18n import Text, catalogue, default_language, duration, language, speak, speaking, words


def test_a_text_is_in_the_language_that_is_spoken_there_and_then() -> None:
    text, heard = Text("one", "一"), []
    with speaking("ja"):
        assert (str(text), language(), words()["study"]) == ("一", "ja", "研究")
        with speaking("en"):
            assert str(text) == f"{text}" == "one"
        assert language() == "ja"
        thread = threading.Thread(target=lambda: heard.append(str(text)))
        thread.start()
        thread.join()
        with pytest.raises(ZeroDivisionError), speaking("en"):
            _ = 1 / 0
        assert language() == "ja"
        speak("en")
        assert (str(text), words() == catalogue("en")) == ("one", True)
    assert (language(), heard) == ("en", ["one"])


@pytest.mark.parametrize(
    ("variables", "named", "lang"),
    [
        ({"LC_MESSAGES": "ja_JP.UTF-8", "LANG": "en_US.UTF-8"}, None, "ja"),
        ({"LC_ALL": "en_US.UTF-8", "LC_MESSAGES": "ja_JP.UTF-8"}, None, "en"),
        ({}, "Japanese_Japan", "ja"),
        ({}, "English_Japan", "en"),
        ({}, None, "en"),
    ],
)
def test_the_locale_decides(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: str | None, lang: str
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(locale, "getlocale", lambda: (named, None))
    assert default_language() == lang


@pytest.mark.parametrize(
    ("seconds", "english", "japanese"),
    [
        (0, "0 s", "0秒"), (0.6, "1 s", "1秒"), (59.4, "59 s", "59秒"), (59.6, "1 min 0 s", "1分0秒"),
        (125, "2 min 5 s", "2分5秒"), (3599, "59 min 59 s", "59分59秒"), (3725, "1 h 2 min", "1時間2分"),
        (100 * 3600, "100 h 0 min", "100時間0分"),
    ],
)  # fmt: skip
def test_times_have_two_units_at_most(seconds: float, english: str, japanese: str) -> None:
    assert duration(seconds) == english
    with speaking("ja"):
        assert duration(seconds) == japanese
