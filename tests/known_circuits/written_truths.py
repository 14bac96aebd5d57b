"""The edges of the hand-written networks, typed in as the papers and their builders mean them."""

Edge = tuple[str, str]


def edges(text: str) -> frozenset[Edge]:
    """Read `sender > receiver receiver` lines."""
    found = set()
    for line in text.strip().splitlines():
        sender, _, receivers = line.partition(" > ")
        found |= {(sender.strip(), receiver) for receiver in receivers.split()}
    return frozenset(found)


INDUCTION = edges("""
    pos_embed > L0.H0.q L0.H0.k
    embed > L0.H0.v L1.H0.q L1.H0.v
    L0.H0 > L1.H0.k
    L1.H0 > logits
""")
PROPORTION = edges("""
    embed > L0.mlp
    L0.mlp > L1.H0.v
    L1.H0 > logits
""")
SORT = edges("""
    embed > L0.H0.v L0.mlp L2.H0.v
    L0.H0 > L0.mlp
    L0.mlp > L1.mlp
    pos_embed > L2.H0.q
    L1.mlp > L2.H0.k
    L2.H0 > logits
""")
BRACKETS = edges("""
    embed > L0.H0.v
    L0.H0 > L0.mlp
    L0.mlp > L1.H0.v L1.mlp
    L1.H0 > L1.mlp
    L1.mlp > logits
""")
INDIRECT_OBJECT = edges("""
    embed > L0.H0.q L0.H0.k L0.H0.v L1.H0.q L1.H0.k L2.H0.q L2.H0.k L2.H0.v
    pos_embed > L0.H0.q L0.H0.k
    L0.H0 > L1.H0.k L1.H0.v
    L1.H0 > L2.H0.q
    L2.H0 > logits
""")
BACKUP = edges("""
    embed > L3.H0.q L3.H0.k L3.H0.v
    L1.H0 > L3.H0.q
    L2.H0 > L3.H0.q
    L3.H0 > logits
""")
NEGATIVE = edges("""
    embed > L3.H1.q L3.H1.k L3.H1.v
    L1.H0 > L3.H1.q
    L3.H1 > logits
""")

#: Name -> the edges that the weights connect, those of them that run, how many edges there are.
WRITTEN: dict[str, tuple[frozenset[Edge], frozenset[Edge], int]] = {
    "induction": (INDUCTION, INDUCTION, 106),
    "induction_soft": (INDUCTION, INDUCTION, 106),
    "proportion": (PROPORTION, PROPORTION, 69),
    "sort": (SORT, SORT, 160),
    "sort_soft": (SORT, SORT, 160),
    "brackets": (BRACKETS, BRACKETS, 96),
    "indirect_object": (INDIRECT_OBJECT, INDIRECT_OBJECT, 146),
    "indirect_object_soft": (INDIRECT_OBJECT, INDIRECT_OBJECT, 146),
    "indirect_object_backup_negative": (
        INDIRECT_OBJECT | BACKUP | NEGATIVE,
        INDIRECT_OBJECT | NEGATIVE,
        282,
    ),
}
