import re
from xml.etree import ElementTree

from eval.charts import Bar, Curve, interval_chart, recall_chart
from eval.evaluation import Measure

MEASURE = Measure(value=0.4, low=0.3, high=0.5)


def test_recall_points_stand_where_they_should() -> None:
    svg = recall_chart([Curve(name="a <b>", points=((1, 0.0), (10, 0.5), (100, 1.0)))])
    ElementTree.fromstring(svg)
    assert "a &lt;b&gt;" in svg
    points = re.search(r'points="([^"]+)"', svg)
    assert points is not None
    (x1, y1), (x2, y2), (x3, y3) = (tuple(map(float, pair.split(","))) for pair in points[1].split())
    assert x2 == round((x1 + x3) / 2, 1)  # 10 is halfway from 1 to 100 on a logarithmic axis
    assert y2 == (y1 + y3) / 2
    assert y3 < y1


def test_interval_dots_lie_inside_their_bands() -> None:
    svg = interval_chart([[Bar(name="run", measure=MEASURE), Bar(name="other", measure=None)]], ["all"])
    root = ElementTree.fromstring(svg)
    group = root.find("g")
    assert group is not None
    line, dot = group.find("line"), group.find("circle")
    assert line is not None
    assert dot is not None
    low, high, middle = (float(value) for value in (line.attrib["x1"], line.attrib["x2"], dot.attrib["cx"]))
    assert abs((low + high) / 2 - middle) < 0.11
    assert "0.400 [0.300, 0.500]" in svg


def test_empty_charts_are_still_svg() -> None:
    ElementTree.fromstring(recall_chart([]))
    ElementTree.fromstring(recall_chart([Curve(name="one deep", points=((1, 0.5),))]))
    ElementTree.fromstring(interval_chart([], []))
