"""Write where the minutes of finished runs went into the TIMES.toml of their systems, as what later runs expect.

``python benchmarks/support/times.py RUN...``, each a run of an unchanged preset that was alone on its machine. The
stages of a seed get their mean over the seeds.
"""

import json
import sys
import tomllib
from pathlib import Path

import msgspec

from phantastic.declare.study import find
from phantastic.ground import files
from phantastic.ground.errors import Refused
from phantastic.run import manifest, stages

HEAD = "# Seconds of each stage, in order; benchmarks/support/times.py writes this file from finished runs.\n"


def measured(finished: list[stages.Stage]) -> dict[str, dict[str, float]]:
    """The entries of a table: the mean over the seeds of each stage's seconds, and its steps."""
    found: dict[str, list[stages.Stage]] = {}
    for stage in finished:
        found.setdefault(stages.general(stage.name), []).append(stage)
    return {
        name: {"seconds": float(f"{sum(each.seconds - each.lost for each in same) / len(same):.2g}")}
        | ({"steps": same[0].steps} if same[0].steps else {})
        for name, same in found.items()
    }


def update(folder: Path) -> Path:
    """Put a run's times into its table, the other tables staying as they are; the file's path."""
    made = manifest.read(folder)
    study = find(made.study)
    if not made.finished:
        raise Refused(f"{folder} is not finished; finish it with: phantastic resume {folder}")
    preset = msgspec.json.decode(msgspec.json.encode(study.presets[made.preset]))  # as the manifest was: no tuples
    free = ("seed", "device", "threads")
    if other := sorted(key for key in preset if key not in free and preset[key] != made.recipe[key]):
        raise Refused(f"{folder} differs from the preset {made.preset} in {', '.join(other)}")
    path = study.folder / stages.TABLE
    tables = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    tables.setdefault(made.study, {})[made.preset] = measured(stages.read(folder).finished)
    text = HEAD
    for name, presets in tables.items():
        for preset, entries in presets.items():
            text += f"\n[{name}.{preset}]\n"
            for stage, entry in entries.items():
                pairs = ", ".join(f"{key} = {value}" for key, value in entry.items())
                text += f"{json.dumps(stage)} = {{ {pairs} }}\n"
    files.write(path, text)
    return path


def main() -> None:
    for word in sys.argv[1:]:
        try:
            print(update(Path(word)))
        except Refused as error:
            sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
