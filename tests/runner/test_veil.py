"""Does a page, or the notebook behind it, tell who somebody is? And what happens when it would?"""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from paper import RUN, Seen, notebook, shown

from riskbench.privacy import Key
from riskbench.runner.gate import check_file, check_notebook, check_page
from riskbench.runner.markup import Rewriter
from riskbench.runner.publication import publish
from riskbench.runner.veil import veiled

KEY = Key(b"a key for tests only")
CARD, MAIL, ADDRESS, PHONE = "4111 1111 1111 1111", "ana.putri@shop.example", "203.0.113.9", "+62 812-3456-7890"
HEAD = ["", "order_id", "buyer_id", "device", "seller_id", "client_ip", "wallet", "n"]
ROW = ["0", "O0000012", "B0000007", "dev-77", "SEL00012", "ten.1", "W-1", "12"]
TABLE = (
    f"<table><thead><tr>{''.join(f'<th>{name}</th>' for name in HEAD)}</tr></thead>"
    f"<tbody><tr><th>{ROW[0]}</th>{''.join(f'<td>{value}</td>' for value in ROW[1:])}</tr></tbody></table>"
)


def test_cells_of_buyers_and_devices_are_pseudonyms_and_orders_and_sellers_stay():
    told = veiled(TABLE, personal={"wallet": "id"}, key=KEY)
    for value in ("B0000007", "dev-77", "ten.1", "W-1"):
        assert f">{value}<" not in told
    for value in ("O0000012", "SEL00012", "<td>12</td>", "<th>0</th>", "<th>buyer_id</th>"):
        assert value in told
    assert KEY.pseudonym("B0000007", "person") in told
    assert veiled(told, personal={"wallet": "id"}, key=KEY) == told


@pytest.mark.parametrize(
    "table",
    [
        "<table><tr><th>buyer id<tr><td>B0000007</table>",
        "<table><tr><th colspan=2>both<th>buyer id<tr><td>a<td>b<td><b>B000</b><i>0007</i></table>",
        "<table><thead><tr><th>column</th><th>value</th></tr></thead><tr><td>buyer_id</td><td>B0000007</td></tr></table>",
        "<table><tr><th>x</th></tr><tr><td><table><tr><th>buyer</th></tr><tr><td>B0000007</td></tr></table></td></tr></table>",
        "<table><tr><th>a</th></tr><tr><th>buyer id</th></tr><tr><td> B0000007 </td></tr></table>",
    ],
)
def test_however_a_table_is_written_its_buyers_are_hidden(table):
    told = veiled(table, personal={}, key=KEY)
    assert "0007" not in told
    assert KEY.pseudonym("B0000007", "person") in told


def test_a_value_of_another_column_stays():
    told = veiled(TABLE.replace("buyer_id", "column").replace("B0000007", "city"), personal={}, key=KEY)
    assert ">city<" in told


def test_attributes_and_links_tell_nothing():
    picture = f'<img alt="from {ADDRESS}" src="data:image/png;base64,4111111111111111">'
    html = f'<a href="mailto:{MAIL}" title="{MAIL}">x</a>{picture}'
    told = veiled(html, personal={}, key=KEY)
    assert "mailto" not in told
    assert "ana.putri" not in told
    assert ADDRESS not in told
    assert "base64,4111111111111111" in told


tags = st.sampled_from(
    ["<p>", "</p>", "<b>", "</b>", "<td>", "<tr>", "<th>", "<table>", "</table>", "</td>", "</tr>", "<br>", "<x", ">"]
)
words = st.sampled_from(
    ["a", "&amp;", "&lt;", "&", "<", "buyer id", "é", "12", '"', "&#65;", "]]>", "<!-- c -->", "<?x?>"]
)


@given(st.lists(tags | words, max_size=20).map("".join))
def test_what_needs_no_hiding_stays_as_it_is(html):
    class Same(Rewriter):
        pass

    told = Same().rewritten(html)
    assert Seen(told).tags == Seen(html).tags
    again = Same().rewritten(told)  # a stray ampersand becomes a letter of its own at the second reading
    assert Same().rewritten(again) == again


@given(st.lists(tags | words | st.sampled_from([CARD, MAIL, ADDRESS, PHONE]), max_size=20).map("".join))
@example("&ana.putri@shop.example")
@example("<xana.putri@shop.example<p>")
@example("<x ana.putri@shop.example>")
@example("ana.putri@shop.exampleana.putri@shop.example")
def test_no_text_node_is_left_with_a_detail(html):
    told = veiled(html, personal={}, key=KEY)
    for detail in (MAIL, "ana.putri"):
        assert detail not in told


# -- the gate ----------------------------------------------------------------------------------------------

SPLIT = "<p>card 4111 <b>1111</b> 1111 1111</p>"


@pytest.mark.parametrize(
    ("page", "kind", "where"),
    [
        (f"<h2>Who?</h2>{SPLIT}", "card number", "step “Who?”"),
        (f"<h2>{CARD}</h2>", "card number", "the top of the page"),
        (f'<img alt="of {MAIL}" src="data:image/png;base64,x">', "e-mail address", "in the words of a picture"),
        (f'<a href="mailto:{MAIL}">x</a>', "e-mail address", "a tag <a>"),
        ("<p>4111\u200b1111\u00ad1111 1111</p>", "card number", "the top"),
        ("<p>+62 812\u20113456\u20117890</p>", "phone number", "the top"),
        (f"<!-- {ADDRESS} -->", "IP address", "a comment"),
        ("<p>&#52;111 1111 1111 1111</p>", "card number", "the top"),
    ],
)
def test_the_gate_says_what_and_where_and_not_the_value(page, kind, where):
    (place,) = check_page(page)
    assert place.kind == kind
    assert where in str(place)
    assert "1111" not in str(place)
    assert "ana" not in str(place)


@pytest.mark.parametrize(
    "page",
    [
        "<td>4111 1111</td><td>1111 1111</td>",
        '<img src="data:image/png;base64,4111111111111111" alt="a">',
        "<style>a{width:4111111111111111px}</style><script>4111111111111111</script>",
        "<p>order 4111111111111112</p><p>4111 1111 1111</p><p>1111</p>",
    ],
)
def test_the_gate_lets_through_what_is_none(page):
    assert check_page(page) == ()


def run_of(*cells, session=None, failure=None, run=RUN):
    return publish(
        notebook(*cells), failure, secrets=(), run={**run, "parameters": {}, "passed": []}, session=session or {}
    )


def test_details_that_a_cell_prints_are_hidden_and_the_run_stays_done():
    plain = f"{CARD} {MAIL} {ADDRESS} {PHONE}"
    files, failure = run_of(
        ("markdown", f"# T\n\nask {MAIL}, [mail](mailto:{MAIL})"),
        ("code", f"x = '{plain}'", {"output_type": "stream", "name": "stdout", "text": plain}),
        ("code", "y", shown(plain=plain, html=f"<p title='{MAIL}'>{plain}</p>{TABLE}")),
        ("code", "z", {"output_type": "error", "ename": "E", "evalue": plain, "traceback": [plain]}),
    )
    assert failure is None
    for name, text in files.items():
        for part in (CARD, "ana.putri", ADDRESS, PHONE, "dev-77"):
            assert part not in text, name
        assert ("(card number hidden)" in text) == (name != "lead.html") or name == "lead.html"
        assert "SEL00012" in text


def test_roles_name_columns_that_no_name_tells_of():
    files, _ = run_of(("code", "y", shown(html=TABLE)), session={"personal": {"wallet": "wallet"}})
    for text in files.values():
        assert "W-1<" not in text
        assert "wallet-" in text
    files, _ = run_of(("code", "y", shown(html=TABLE)))
    assert all("W-1<" in text for text in files.values())


def test_a_run_on_which_a_detector_still_fires_is_not_published():
    files, failure = run_of(
        ("markdown", "# T\n\n## Who is it?"), ("code", "SOURCE = 1", shown(html=SPLIT)), session={"headline": []}
    )
    assert failure.status == "failed"
    assert "card number" in failure.what
    assert "cell 2" in failure.what
    for name, text in files.items():
        assert "1111" not in text
        assert "SOURCE" not in text
        if name.endswith(".html"):
            assert "card number" in text
            assert check_page(text) == ()
    assert check_notebook(json.loads(files["notebook.ipynb"])) == ()
    assert json.loads(files["notebook.ipynb"])["cells"] == []


def test_a_title_on_which_it_fires_is_left_out():
    hostile = {**RUN, "title": "4111 1111\u200b 1111 1111", "question": CARD, "playbook": MAIL}
    files, _ = run_of(("code", "x", shown(html=SPLIT)), run=hostile)
    for text in files.values():
        assert "1111" not in text
        assert "ana.putri" not in text


def test_a_stored_notebook_is_checked_in_every_part(tmp_path):
    held = notebook(("code", "x", shown(plain="a", html="b")))
    assert check_notebook(held) == ()
    for put in (
        lambda cell: cell.update(source=CARD),
        lambda cell: cell["metadata"].update({CARD: 1}),
        lambda cell: cell["outputs"][0]["data"].update({"text/html": [SPLIT]}),
        lambda cell: cell["outputs"][0]["data"].update({"application/json": {"deep": [{"x": CARD}]}}),
        lambda cell: cell["outputs"][0]["data"].update({"text/plain": [CARD[:9], CARD[9:]]}),
    ):
        hostile = json.loads(json.dumps(held))
        put(hostile["cells"][0])
        (place,) = check_notebook(hostile)
        assert "cell 1" in str(place)
        path = tmp_path / "x.ipynb"
        path.write_text(json.dumps(hostile))
        assert check_file(path) == (place,)


@pytest.mark.parametrize(
    ("name", "text"), [("x.txt", ""), ("x.ipynb", "[1]"), ("x.ipynb", "{"), ("x.ipynb", '{"cells": [1]}')]
)
def test_what_cannot_be_checked_is_said(tmp_path, name, text):
    from riskbench.errors import ParameterError

    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ParameterError):
        check_file(path)
    with pytest.raises(ParameterError, match="cannot be read"):
        check_file(tmp_path / "nothing.html")


# -- tables as pandas writes them --------------------------------------------------------------------------


def frame():
    import pandas as pd

    return pd.DataFrame(
        {
            "order_id": ["O1", "O2", "O3"],
            "buyer_id": ["BUYERAAA1", "BUYERBBB2", "BUYERAAA1"],
            "device_id": ["DEVAAA1", "DEVBBB2", "DEVCCC3"],
            "region": ["ID", "ID", "VN"],
            "amount": [1, 2, 3],
        }
    )


SHAPES_OF_TABLES = {
    "a named index": lambda held: held.set_index("order_id"),
    "buyers as index": lambda held: held.set_index("buyer_id"),
    "turned": lambda held: held.T,
    "an index of two": lambda held: held.groupby(["region", "buyer_id"]).amount.sum().to_frame(),
    "an index of three": lambda held: held.groupby(["region", "amount", "buyer_id"]).order_id.count().to_frame(),
    "buyers as headers": lambda held: held.pivot_table(index="region", columns="buyer_id", values="amount"),
    "two rows of headers": lambda held: held.groupby("buyer_id").agg({"amount": ["sum", "mean"]}).reset_index(),
    "merged": lambda held: held.rename(columns={"buyer_id": "buyer_id_x", "device_id": "device_id.1"}),
}


@pytest.mark.parametrize("shape", sorted(SHAPES_OF_TABLES))
def test_no_buyer_stands_in_a_table_of_any_shape(shape):
    told = veiled(SHAPES_OF_TABLES[shape](frame()).to_html(), personal={}, key=KEY)
    assert "BUYER" not in told
    assert "DEV" not in told
    assert ("person-" in told) or ("device-" in told)


@pytest.mark.parametrize(
    "table",
    [
        "<table><tr><th>buyer_id</th><td>BUYERAAA1</td></tr></table>",
        "<table><tr><td>buyer_id</td><td>n</td></tr><tr><td>BUYERAAA1</td><td>1</td></tr></table>",
        (
            "<table><tr><th>a</th><th>buyer_id</th></tr><tr><td rowspan=2>x</td><td>BUYERB2</td></tr>"
            "<tr><td>BUYERAAA1</td></tr></table>"
        ),
    ],
)
def test_no_buyer_stands_in_a_table_written_by_hand(table):
    assert "BUYER" not in veiled(table, personal={}, key=KEY)


def test_counts_of_buyers_stay():
    for held in (
        frame().groupby("region").agg({"buyer_id": ["nunique", "count"]}),
        frame().pivot_table(index="region", values="amount", aggfunc=["sum", "count"]),
        frame()[["region", "amount"]].describe(include="all"),
    ):
        assert veiled(held.to_html(), personal={}, key=KEY) == held.to_html()


def test_a_table_s_plain_text_names_nobody_either():
    held = frame()
    series = str(held.set_index("order_id").buyer_id)
    printed = held.to_string(index=False)
    files, failure = run_of(
        ("code", "a", shown(plain=str(held), html=held.to_html())),
        ("code", "b", shown(plain=series)),
        ("code", "c", {"output_type": "stream", "name": "stdout", "text": f"{printed}\nseen BUYERAAA1"}),
        ("code", "d", shown(plain="{'buyer_id': 'Zed9', 'n': 3, 'seller_id': 'SELLER1'}")),
        ("code", "e", {"output_type": "error", "ename": "E", "evalue": "buyer_id=Q77", "traceback": ["KeyError"]}),
    )
    assert failure is None
    for name, text in files.items():
        for part in ("BUYERAAA1", "BUYERBBB2", "DEVAAA1", "Zed9", "Q77"):
            assert part not in text, name
    assert "'n': 3, 'seller_id': 'SELLER1'" in files["notebook.ipynb"]
