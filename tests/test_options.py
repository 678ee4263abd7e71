from dataclasses import dataclass

import pytest

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.options import Option, check_settings, from_options, options_of, resolve, setting

RANK = Option("rank", 4, "of the change", 1, 256)
GAMMA = Option("gamma", None, "auto: by the task", 0, optional=True, kind=float)
WINDOW = Option("window", "ramp", "of frequencies", choices=("ramp", "hann"))


@dataclass(frozen=True)
class Scan:
    views: int = setting(60, "how many", low=1)
    noise: float = setting(0.01, "deviation", low=0)
    name: str = "no option"

    def __post_init__(self):
        check_settings(self)


def test_texts_become_values_of_the_options_type():
    assert RANK.parse("8") == 8
    assert GAMMA.parse("0.5") == 0.5
    assert GAMMA.parse("auto") is None
    assert WINDOW.parse("hann") == "hann"
    assert Option("centred", True, "of k-space").parse("false") is False


def test_a_whole_number_serves_as_a_float_but_not_the_other_way_round():
    assert isinstance(GAMMA.check(1), float)
    with pytest.raises(SettingsError, match=r"rank: found 2\.5, accepted are whole numbers from 1 to 256"):
        RANK.check(2.5)


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        (RANK, "0", "rank: found 0, accepted are whole numbers from 1 to 256"),
        (RANK, "many", "rank: found 'many', accepted are whole numbers from 1 to 256"),
        (GAMMA, "-1", "gamma: found -1.0, accepted are numbers from 0, or auto"),
        (GAMMA, "nan", "gamma: found nan, accepted are numbers from 0, or auto"),
        (WINDOW, "boxcar", "window: found 'boxcar', accepted are ramp, hann"),
    ],
)
def test_what_is_not_accepted_is_named_with_what_is(option, text, message):
    with pytest.raises(SettingsError) as caught:
        option.parse(text)
    assert str(caught.value) == message


def test_defaults_stand_for_what_is_not_given_and_unknown_names_are_refused():
    assert resolve([RANK, GAMMA], {"rank": 2}, "system x") == {"rank": 2, "gamma": None}
    with pytest.raises(SettingsError, match="option: found speed, system x accepts rank, gamma"):
        resolve([RANK, GAMMA], {"speed": 1}, "system x")
    with pytest.raises(SettingsError, match="system y accepts no options"):
        resolve([], {"rank": 1}, "system y")


def test_a_dataclass_of_settings_tells_and_checks_its_options():
    assert [(o.name, o.default, o.kind) for o in options_of(Scan)] == [
        ("views", 60, int),
        ("noise", 0.01, float),
    ]
    assert options_of(None) == ()
    assert from_options(Scan, {"views": 18}) == Scan(18)
    assert isinstance(Scan(noise=1).noise, float)
    with pytest.raises(SettingsError, match="views: found 0"):
        Scan(0)
