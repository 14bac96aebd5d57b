"""Random rankings: many ties, few sites, some true."""

from hypothesis import strategies as st

# Few distinct values make ties; signs and zeros make conventions differ.
tied_values = st.integers(-3, 3).map(float)
any_values = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 6))


@st.composite
def rankings(
    draw: st.DrawFn, most: int = 12, values: st.SearchStrategy[float] = tied_values
) -> tuple[dict[str, float], frozenset[str]]:
    """Scores by name, and true sites: at least one, and not all."""
    n = draw(st.integers(2, most))
    names = [f"L{i // 3}.H{i % 3}" for i in range(n)]
    scores = dict(zip(names, draw(st.lists(values, min_size=n, max_size=n)), strict=True))
    size = draw(st.integers(1, n - 1))
    return scores, frozenset(draw(st.permutations(names))[:size])
