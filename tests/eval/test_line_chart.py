import re

from eval.line_chart import Line, line_chart


def test_points_stand_where_their_values_say() -> None:
    line = Line(name="a<b>", points=((1.0, 0.0), (2.0, 0.5), (3.0, 1.0)))
    chart = line_chart([line], title="T & t", x_label="slot", y_label="share")
    path = re.search(r'points="([^"]+)"', chart)
    assert path is not None
    points = [tuple(map(float, pair.split(","))) for pair in path[1].split()]
    assert points[0][0] < points[1][0] < points[2][0]
    assert points[0][1] - points[1][1] == points[1][1] - points[2][1] > 0  # higher values stand higher
    assert "a&lt;b&gt;" in chart and "<b>" not in chart and "T &amp; t" in chart


def test_values_that_are_not_finite_are_left_out() -> None:
    chart = line_chart([Line(name="a", points=((1.0, float("nan")), (2.0, 1.0)))], title="t", x_label="", y_label="")
    assert chart.count("<circle") == 1 and "nan" not in chart


def test_nothing_to_draw_says_so() -> None:
    assert "nothing to draw" in line_chart([Line(name="a", points=())], title="t", x_label="", y_label="")


def test_equal_values_do_not_divide_by_nought() -> None:
    chart = line_chart([Line(name="a", points=((1.0, 0.0), (1.0, 0.0)))], title="t", x_label="x", y_label="y")
    assert "<polyline" in chart


def ticks_below(chart: str) -> list[str]:
    return re.findall(r'y="288\.0" text-anchor="middle">([^<]+)<', chart)


def test_the_horizontal_axis_names_whole_values_or_even_steps() -> None:
    whole = Line(name="a", points=((1.0, 0.0), (2.0, 0.5), (4.0, 1.0)))
    assert ticks_below(line_chart([whole], title="t", x_label="", y_label="")) == ["1", "2", "4"]
    shares = Line(name="a", points=((0.0, 0.0), (0.341369, 0.2), (0.34499, 0.5), (1.0, 1.0)))
    assert ticks_below(line_chart([shares], title="t", x_label="", y_label="")) == [
        "0",
        "0.2",
        "0.4",
        "0.6",
        "0.8",
        "1",
    ]
