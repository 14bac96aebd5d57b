"""The PNG: drawn without touching matplotlib's global state, whatever the strings hold."""

import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import image

from causalnet.report import ReportView, write_png
from causalnet.report.palette import LIGHT
from tests.report.examples import full_view, view_of_strings
from tests.report.hostile_strings import HOSTILE, UNPRINTABLE


def has_colour(picture: np.ndarray, colour: str) -> bool:
    wanted = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return bool((np.abs(picture[..., :3] - wanted).max(axis=-1) < 0.01).sum() > 50)


def test_the_picture_has_the_colours_of_its_verdicts(tmp_path: Path) -> None:
    picture = image.imread(write_png(full_view(), tmp_path / "new" / "report.png", dpi=80))
    assert picture.shape[1] == 13 * 80
    for name in ("supported", "refuted", "inconclusive", "undefined", "negative"):
        assert has_colour(picture, LIGHT[name]), name


def test_a_report_without_a_verdict_has_no_verdict_colours(tmp_path: Path) -> None:
    picture = image.imread(write_png(ReportView("Nothing"), tmp_path / "report.png", dpi=80))
    assert not has_colour(picture, LIGHT["supported"])


def test_nothing_global_changes_and_a_readers_settings_do_not_matter(tmp_path: Path) -> None:
    first = write_png(full_view(), tmp_path / "a.png", dpi=60)
    with matplotlib.rc_context({"text.usetex": True, "font.family": "serif"}):
        before = dict(matplotlib.rcParams)
        second = write_png(full_view(), tmp_path / "b.png", dpi=60)
        assert dict(matplotlib.rcParams) == before
    assert first.read_bytes() == second.read_bytes()


def test_any_string_is_drawn_without_a_warning(tmp_path: Path) -> None:
    strings = [*HOSTILE, *UNPRINTABLE]
    view = view_of_strings(strings)
    assert {row.statement for row in view.verdicts} == set(strings)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert write_png(view, tmp_path / "report.png", dpi=20).stat().st_size > 1000


def test_pyplot_is_not_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from causalnet.report import ReportView, write_png\n"
        "assert 'matplotlib' not in sys.modules\n"
        f"write_png(ReportView('t'), {str(tmp_path / 'x.png')!r})\n"
        "assert 'matplotlib.pyplot' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib_the_message_names_the_extra(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from causalnet.errors import CausalNetError\n"
        "from causalnet.report import ReportView, write_png\n"
        "try: write_png(ReportView('t'), 'never.png')\n"
        "except CausalNetError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert "pip install 'causalnet-lab[plots]'" in done.stdout
    assert not (tmp_path / "never.png").exists()
