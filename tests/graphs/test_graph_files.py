"""What is written is read back equal, in every format."""

from typing import get_args

import pytest
from hypothesis import given, settings

from causalnet.graphs.formats import GraphFile, GraphFormat, graph_text, read_graph
from tests.graphs.graph_files import exact, graph_files

FORMATS = get_args(GraphFormat)


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=150)
@given(file=graph_files())
def test_what_is_written_is_read_back(format: GraphFormat, file: GraphFile) -> None:
    text = graph_text(file, format)
    again = read_graph(text, format)
    assert exact(again) == exact(file)
    assert again == file
    assert again.notes == ()
