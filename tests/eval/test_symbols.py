from eval import symbols


def test_signs_are_signs_and_kinds_do_not_overlap() -> None:
    for table in (symbols.NAMES, symbols.OPERATORS):
        assert all(name.isalpha() and len(sign) == 1 for name, sign in table.items())
    assert not symbols.NAMES.keys() & symbols.OPERATORS.keys()
    assert not symbols.FUNCTIONS & (symbols.NAMES.keys() | symbols.OPERATORS.keys())
    assert not symbols.TEXTS & (symbols.BOLD | symbols.FRACTIONS | symbols.IGNORED | symbols.ACCENTS.keys())
