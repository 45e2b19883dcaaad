"""Whatever is typed, the answer is one message that names the mistake and the way out; nothing is run or written."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Invoke = Callable[..., Result]
RUN = ("run", "toy", "--preset", "tiny")
HUGE = "9" * 5000  # more digits than Python converts

REFUSED = {
    "verb": (("rnu",), "did you mean 'run'?"),
    "verb in Japanese": (("実行",), "unknown verb '実行'"),
    "study": (("run", "tooy"), "did you mean 'toy'?"),
    "study is empty": (("run", ""), "allowed: toy"),
    "study missing": (("run",), "Missing argument 'STUDY'"),
    "study is a path": (("run", "../../etc/passwd"), "unknown study"),
    "preset": (("run", "toy", "--preset", "tinny"), "did you mean 'tiny'?"),
    "preset is empty": (("run", "toy", "--preset", ""), "allowed: quick, tiny"),
    "option": ((*RUN, "--sed", "3"), "--seed"),
    "device": ((*RUN, "--device", "gpu"), "'auto', 'cpu', 'cuda'"),
    "device by --set": ((*RUN, "--set", "device=gpu"), "one of: auto, cpu, cuda"),
    "lang": ((*RUN, "--lang", "fr"), "'en', 'ja'"),
    "seed is a word": ((*RUN, "--seed", "three"), "not a valid integer"),
    "seed is negative": ((*RUN, "--seed", "-1"), "integer from 0 to 2147483647"),
    "seed is huge": ((*RUN, "--seed", str(10**30)), "integer from 0 to 2147483647"),
    "seed is too long": ((*RUN, "--seed", HUGE), "not a valid integer"),
    "seed is a fraction": ((*RUN, "--set", "seed=1.5"), "integer from 0"),
    "key": ((*RUN, "--set", "wdth=3"), "did you mean 'width'?"),
    "key in Japanese": ((*RUN, "--set", "幅=3"), "unknown key '幅'"),
    "key is empty": ((*RUN, "--set", "=3"), "key=value"),
    "no value": ((*RUN, "--set", "width"), "key=value"),
    "value is empty": ((*RUN, "--set", "width="), "integer from 1 to 512"),
    "value is a word": ((*RUN, "--set", "width=wide"), "integer from 1 to 512"),
    "value is true": ((*RUN, "--set", "width=true"), "integer from 1 to 512"),
    "value is a list": ((*RUN, "--set", "width=[1, 2]"), "integer from 1 to 512"),
    "value is a date": ((*RUN, "--set", "width=2020-01-01"), "integer from 1 to 512"),
    "value below": ((*RUN, "--set", "width=0"), "integer from 1 to 512"),
    "value above": ((*RUN, "--set", "width=513"), "integer from 1 to 512"),
    "value is huge": ((*RUN, "--set", f"width={HUGE}"), "integer from 1 to 512"),
    "value is deep": ((*RUN, "--set", "width=" + "[" * 5000), "integer from 1 to 512"),
    "value is nan": ((*RUN, "--set", "learning_rate=nan"), "must be finite"),
    "value is inf": ((*RUN, "--set", "learning_rate=inf"), "must be finite"),
    "unbounded value is nan": ((*RUN, "--set", "scale=nan"), "must be finite"),
    "unbounded value is inf": ((*RUN, "--set", "scale=-inf"), "must be finite"),
    "value overflows": ((*RUN, "--set", "scale=1e999"), "must be finite"),
    "bound itself": ((*RUN, "--set", "learning_rate=0"), "number above 0 to 1"),
    "choice": ((*RUN, "--set", "shape=sin"), "one of: sine, step"),
    "checkpoints negative": ((*RUN, "--checkpoint-every", "-1"), "--checkpoint-every"),
    "checkpoints never": ((*RUN, "--checkpoint-every", "nan"), "--checkpoint-every"),
    "recipe absent": ((*RUN, "--recipe", "nowhere.toml"), "nowhere.toml"),
    "recipe is a folder": ((*RUN, "--recipe", "."), "recipe file ."),
    "recipe is no TOML": ((*RUN, "--recipe", "plain.txt"), "plain.txt"),
    "recipe is binary": ((*RUN, "--recipe", "binary.toml"), "binary.toml"),
    "recipe has another key": ((*RUN, "--recipe", "key.toml"), "key.toml: unknown key 'stepz'; did you mean 'steps'?"),
    "recipe has another value": ((*RUN, "--recipe", "value.toml"), "value.toml: steps = -3 is not possible"),
    "recipe is nested": ((*RUN, "--recipe", "nested.toml"), "nested.toml"),
    "name climbs": ((*RUN, "--name", "../../out"), "cannot name a folder"),
    "name is absolute": ((*RUN, "--name", "/tmp/out"), "cannot name a folder"),
    "name for Windows": ((*RUN, "--name", "C:\\out"), "cannot name a folder"),
    "name is hidden": ((*RUN, "--name", ".git"), "cannot name a folder"),
    "name is long": ((*RUN, "--name", "n" * 300), "cannot name a folder"),
    "name has a newline": ((*RUN, "--name", "a\nb"), "cannot name a folder"),
    "name has a zero": ((*RUN, "--name", "a\0b"), "cannot name a folder"),
    "root is a file": ((*RUN, "--root", "plain.txt"), "plain.txt"),
    "resume nothing": (("resume", "toy/none"), "no run 'toy/none'; there are no runs under runs"),
    "resume a study": (("resume", "toy"), "no run 'toy'"),
    "resume a folder": (("resume", "."), "not a run folder"),
    "resume a file": (("resume", "plain.txt"), "not a run folder"),
    "resume zero": (("resume", "a\0b"), "no run"),
    "resume long": (("resume", "n" * 5000), "no run"),
    "show nothing": (("show", "tooy"), "no study and no run 'tooy'; did you mean 'toy'?"),
    "cite nothing": (("cite", "x"), "no study and no run 'x'"),
    "ledger of nothing": (("ledger", "x"), "no study and no run 'x'"),
    "compare one": (("compare", "toy/one"), "two runs or more"),
    "compare nothing": (("compare", "toy/one", "toy/two"), "no run 'toy/one'"),
    "export nothing": (("export", "toy/one"), "no run 'toy/one'"),
    "apply to nothing": (("apply", "tooy", "--at", "1"), "did you mean 'toy'?"),
    "apply without a run": (("apply", "toy", "--at", "1"), "phantastic run toy"),
    "apply another option": (("apply", "toy", "--att", "1"), "unknown option '--att'; did you mean '--at'?"),
    "apply a bare word": (("apply", "toy", "at"), "unknown option 'at'"),
    "apply without a value": (("apply", "toy", "--at"), "--at needs a value"),
    "apply twice": (("apply", "toy", "--at", "1", "--at=2"), "given twice"),
    "lesion of nothing": (("lesion", "toy/one", "--list"), "no run 'toy/one'"),
}  # fmt: skip

WITH_RUNS = {
    "run": (("resume", "toy/onne"), "did you mean 'toy/one'?"),
    "run is there": ((*RUN, "--name", "one"), "holds a run already"),
    "apply a wrong value": (("apply", "toy", "--at", "x"), "--at x is not possible; allowed: number"),
    "apply to an unfinished run": (("apply", "toy", "--run", "toy/half", "--at", "1"), "phantastic resume"),
    "export an unfinished run": (("export", "toy/half"), "phantastic resume"),
    "export onto something": (("export", "toy/one", "--to", "runs"), "is there already"),
    "export under a file": (("export", "toy/one", "--to", "plain.txt/x"), "plain.txt/x"),
    "lesion of an unfinished run": (("lesion", "toy/half", "--list"), "phantastic resume"),
    "lesion without a site": (("lesion", "toy/one", "--kind", "noise"), "--site and --kind"),
    "site": (("lesion", "toy/one", "--site", "fit[9]", "--kind", "noise"), "unknown site 'fit[9]'; did you mean"),
    "kind": (("lesion", "toy/one", "--site", "fit[0]", "--kind", "nois"), "did you mean 'noise'?"),
    "dose above": (("lesion", "toy/one", "--site", "fit[0]", "--kind", "noise", "--dose", "2"), "from 0 (intact) to 1"),
    "dose nan": (("lesion", "toy/one", "--site", "fit[0]", "--kind", "noise", "--dose", "nan"), "from 0 (intact) to 1"),
    "doses without end": (("lesion", "toy/one", "--site", "fit[0]", "--kind", "noise", "--dose", "0:1:1e-9"), "1000"),
    "repeats": (("lesion", "toy/one", "--site", "fit[0]", "--kind", "noise", "--repeats", "0"), "--repeats"),
}  # fmt: skip


def furnish(home: Path) -> None:
    (home / "plain.txt").write_text("hello, there")
    (home / "binary.toml").write_bytes(b"\xff\xfe\x00steps = 3")
    (home / "key.toml").write_text("stepz = 3")
    (home / "value.toml").write_text("steps = -3")
    (home / "nested.toml").write_text("steps = " + "[" * 5000)


def content(home: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in home.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_before_anything_runs(phantastic: Invoke, home: Path, kind: str) -> None:
    words, named = REFUSED[kind]
    furnish(home)
    before = content(home)
    result = phantastic(*words)
    assert result.exit_code == 2, result.output
    assert named in result.stderr
    assert result.stdout == ""
    assert len(result.stderr) < 1000 + len(max(words, key=len))
    assert content(home) == before
    assert not (home / "runs").exists()


@pytest.mark.parametrize("kind", WITH_RUNS)
def test_refused_beside_runs(phantastic: Invoke, runs: Path, home: Path, kind: str) -> None:
    words, named = WITH_RUNS[kind]
    furnish(home)
    before = content(home)
    result = phantastic(*words)
    assert result.exit_code == 2, result.output
    assert named in result.stderr
    assert content(home) == before


def test_root_with_japanese_and_spaces(phantastic: Invoke, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phantastic.show.report.publish", lambda run: [])
    root = home / "Users/山田 太郎/実験 1"
    result = phantastic(*RUN, "--set", "steps=1", "--root", root, "--name", "最初の 実行")
    assert result.exit_code == 0, result.output
    assert (root / "toy/最初の 実行/model.safetensors").exists()
    assert phantastic("show", "toy/最初の 実行", "--root", root).exit_code == 0
    assert phantastic("ls", "--root", root).output.count("最初の") == 1


DAMAGED = {
    "manifest.json": ("show", "resume", "compare", "ledger", "apply", "lesion", "export", "cite"),
    "measures.json": ("show", "compare"),
    "claims.json": ("show", "compare", "ledger"),
    "stages.json": ("show", "resume"),
    "model.safetensors": ("apply", "lesion"),
    "LATEST": ("resume", "apply", "lesion"),
}


@pytest.mark.parametrize(("name", "verb"), [(name, verb) for name, verbs in DAMAGED.items() for verb in verbs])
@pytest.mark.parametrize("damage", [b"", b"{", b"\x00\xff" * 50, b'{"a": [' * 20_000, b"null", b"[1, 2]"])
def test_damaged_files_are_named(phantastic: Invoke, runs: Path, name: str, verb: str, damage: bytes) -> None:
    (runs / "one" / name).write_bytes(damage)
    words = {
        "compare": ("compare", "toy/one", "toy/three"),
        "apply": ("apply", "toy", "--run", "toy/one", "--at", "1"),
        "lesion": ("lesion", "toy/one", "--site", "fit[0]", "--kind", "scale"),
    }.get(verb, (verb, "toy/one"))
    before = content(runs)
    result = phantastic(*words)
    assert result.exit_code == 2, result.output
    assert name in result.stderr
    assert content(runs) == before


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.one_of(
    st.sampled_from(["run", "show", "ls", "apply", "compare", "toy", "--set", "--preset", "--run", "--", "=", "--at"]),
    st.text(max_size=12),
), max_size=6))  # fmt: skip
def test_any_words_are_answered(phantastic: Invoke, home: Path, words: list[str]) -> None:
    """Nothing that can be typed ends in another exception than an exit."""
    if words[:1] == ["run"] and "toy" in words:
        words = [*words, "--seed", "-1"]  # whatever else they say, it is refused
    assert phantastic(*words).exit_code in (0, 2)
