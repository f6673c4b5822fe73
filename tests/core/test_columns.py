from core.columns import EEDI, OPTIONAL, Columns


def test_names_in_the_order_asked() -> None:
    columns = Columns(misconception_name="Title")
    assert list(columns.names("misconception_name", "misconception_id").items()) == [
        ("misconception_name", "Title"),
        ("misconception_id", "MisconceptionId"),
    ]


def test_defaults_are_known_as_such() -> None:
    assert EEDI.is_default("construct")
    assert not Columns(construct="Skill").is_default("construct")
    assert set(OPTIONAL) == set(EEDI.names(*OPTIONAL))
