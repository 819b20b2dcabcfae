import gzip
import pathlib
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elmo_tf.data import tokenization
from elmo_tf.errors import InputError

pytest.importorskip("spacy")


@pytest.fixture(scope="module")
def english():
    return tokenization.make_pipeline("en")


def tokenize(nlp, *paragraphs):
    return [" ".join(sentence) for sentence in tokenization.tokenize_paragraphs(nlp, paragraphs)]


@pytest.mark.parametrize(
    ("language", "paragraph", "sentences"),
    [
        ("en", "It works. Doesn't it?", ["It works .", "Does n't it ?"]),
        ("nb", "Han kom f.eks. i går. Bra!", ["Han kom f.eks. i går .", "Bra !"]),
        ("ru", "Привет, мир! Как дела?", ["Привет , мир !", "Как дела ?"]),
        ("zh", "我来了。你呢？", ["我 来 了 。", "你 呢 ？"]),
        ("zh", "我用Python 3.11写code。好，Ｗｅｂ？", ["我 用 Python 3.11 写 code 。", "好 ， Ｗｅｂ ？"]),
        ("zh", "他说：“Python，Java！”《书》", ["他 说 ： “ Python ， Java ！ ”", "《 书 》"]),
        ("zh", "他来了。“好！”“走？”（笑）", ["他 来 了 。", "“ 好 ！ ”", "“ 走 ？ ”", "（ 笑 ）"]),
        ("eng", "Mr. Smith's", ["Mr. Smith 's"]),
    ],
)
def test_sentences_and_tokens_by_the_rules_of_the_language(language, paragraph, sentences):
    assert tokenize(tokenization.make_pipeline(language), paragraph) == sentences


@pytest.mark.parametrize(
    ("paragraph", "sentences"),
    [
        ("", []),
        (" \t\u00a0 ", []),
        ("  two   spaces\tand tab ", ["two spaces and tab"]),
        ("10\u00a0000 words\u2028here", ["10 000 words here"]),
        ("One.\u3000 \u00a0Two.", ["One .", "Two ."]),
    ],
)
def test_no_token_is_or_holds_white_space(english, paragraph, sentences):
    assert tokenize(english, paragraph) == sentences


@pytest.mark.parametrize(
    ("paragraph", "sentences"),
    [
        ('It is new. "Quoted," she said.', ["It is new .", '" Quoted , " she said .']),
        ('He said "No." "Why?" she asked.', ['He said " No . "', '" Why ? "', "she asked ."]),
        ("It is new! (In brackets.) More.", ["It is new !", "( In brackets . )", "More ."]),
        ('It is new. ("Both.") More.', ["It is new .", '( " Both . " )', "More ."]),
        ('It is new.  "Two spaces." More.', ["It is new .", '" Two spaces . "', "More ."]),
        ("Es ist neu. „Ja“, sagt er. »Ja«, «Ja».", ["Es ist neu .", "„ Ja “ , sagt er .", "» Ja « , « Ja » ."]),
        ("Es nuevo. ¿Qué? ¡Sí!", ["Es nuevo .", "¿ Qué ?", "¡ Sí !"]),
        ('She said "No." He went.', ['She said " No . "', "He went ."]),
        ('She said "No" . " He went.', ['She said " No " . "', "He went ."]),
        ('It is new."Glued." More.', ["It is new .", '"Glued . "', "More ."]),
        ('It ends. "', ['It ends . "']),
        ('"Why?" (', ['" Why ? " (']),
    ],
)
def test_quotes_and_brackets_after_white_space_begin_a_sentence(paragraph, sentences):
    assert tokenize(tokenization.make_pipeline("xx"), paragraph) == sentences


def test_a_sentence_ends_with_its_line(english):
    assert tokenize(english, "no full stop", "here either") == ["no full stop", "here either"]


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="utf-8")))
def test_splitting_the_output_returns_the_tokens_and_no_letter_is_lost(english, paragraph):
    sentences = list(tokenization.tokenize_paragraphs(english, [paragraph]))
    for sentence in sentences:
        assert sentence
        assert " ".join(sentence).split() == sentence
    assert "".join("".join(sentence) for sentence in sentences) == "".join(paragraph.split())


@pytest.mark.parametrize("piece", [40, 60, 97])
def test_a_long_paragraph_in_pieces_gives_the_same_sentences(english, monkeypatch, piece):
    paragraph = " ".join(f"Sentence {number}, isn't it? (Yes.) No!" for number in range(30))
    whole = tokenize(english, paragraph)
    assert len(whole) == 90
    monkeypatch.setattr(tokenization, "PIECE", piece)
    assert tokenize(english, paragraph) == whole


@pytest.mark.parametrize("paragraph", ["word " * 50, "unbroken" * 30, "Short. " + "word " * 50])
def test_a_sentence_longer_than_a_piece_is_cut_but_keeps_its_letters(english, monkeypatch, paragraph):
    monkeypatch.setattr(tokenization, "PIECE", 64)
    sentences = tokenize(english, paragraph)
    assert len(sentences) > 1
    assert "".join("".join(sentences).split()) == "".join(paragraph.split())


def test_a_line_longer_than_the_limit_of_spacy_is_tokenised(monkeypatch):
    nlp = tokenization.make_pipeline("en")
    nlp.max_length = 100
    assert tokenize(nlp, "A short one. " * 40) == ["A short one ."] * 40


def test_spacy_does_not_keep_the_words_of_earlier_paragraphs(english):
    before = len(english.vocab.strings)
    tokenize(english, *(f"zq{number} qz{number}" for number in range(200)))
    assert len(english.vocab.strings) == before


def test_paragraphs_are_read_as_a_stream(english, monkeypatch):
    monkeypatch.setattr(tokenization, "PIECE", 50)
    taken = []

    def paragraphs():
        for number in range(100):
            taken.append(number)
            yield f"Paragraph {number}."

    assert next(tokenization.tokenize_paragraphs(english, paragraphs())) == ["Paragraph", "0", "."]
    assert len(taken) < 10


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
def test_a_file_is_written_as_one_sentence_a_line(english, tmp_path, pack):
    source, target = tmp_path / "in", tmp_path / "made" / "out.txt"
    source.write_bytes(pack("\ufeffOne. Two\u00a0too!\r\n\r\nÆrlig.\n".encode()))
    assert tokenization.tokenize_file(english, str(source), str(target)) == (3, 7)
    assert target.read_bytes().decode() == "One .\nTwo too !\nÆrlig .\n"


def test_an_error_half_way_through_a_file_leaves_no_output(english, tmp_path):
    (tmp_path / "in").write_bytes(b"Fine.\n" * 50_000 + b"\xff\n")
    with pytest.raises(InputError, match="line 50001: not UTF-8"):
        tokenization.tokenize_file(english, str(tmp_path / "in"), str(tmp_path / "out" / "in.txt"))
    assert list((tmp_path / "out").iterdir()) == []


def test_chinese_words_come_from_jieba_in_which_latin_words_stay_whole():
    pytest.importorskip("jieba")
    nlp = tokenization.make_pipeline("zh", chinese_words=True)
    assert tokenize(nlp, "我们用Python写程序。") == ["我们 用 Python 写 程序 。"]


def test_chinese_words_of_another_language_are_refused():
    with pytest.raises(InputError, match="words by jieba are for the language 'zh' alone, got 'en'"):
        tokenization.make_pipeline("en", chinese_words=True)


def test_an_unknown_language_is_refused_with_the_list_of_known_ones():
    with pytest.raises(InputError, match=r"does not know the language 'english'; expected one of af .* en .* zh"):
        tokenization.make_pipeline("english")
    with pytest.raises(InputError, match=r"zh, where xx is for any other language that has spaces between words$"):
        tokenization.make_pipeline("english")


def test_a_language_that_lacks_its_package_says_which(monkeypatch):
    monkeypatch.setitem(sys.modules, "pythainlp", None)
    monkeypatch.setitem(sys.modules, "pythainlp.tokenize", None)
    with pytest.raises(InputError, match=r"language 'th' needs a package that is not installed: .*PyThaiNLP"):
        tokenization.make_pipeline("th")


@pytest.mark.parametrize(
    ("language", "module", "advice"),
    [
        ("ja", "sudachipy", "pip install sudachipy sudachidict_core"),
        ("ko", "natto", "install the programs mecab-ko and mecab-ko-dic, and pip install natto-py"),
        ("th", "pythainlp", "pip install pythainlp"),
        ("vi", "pyvi", "pip install pyvi"),
        ("zh", "jieba", "pip install jieba"),
    ],
)
def test_the_package_that_a_language_lacks_is_named_in_the_error_and_in_the_docs(monkeypatch, language, module, advice):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match="needs a package that is not installed") as caught:
        tokenization.make_pipeline(language, chinese_words=language == "zh")
    assert str(caught.value).endswith(f"; {advice}")
    page = (pathlib.Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    assert advice.split("pip ")[-1] in page


def test_without_spacy_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(InputError, match=r"pip install 'elmo_tf\[tokenize\]'"):
        tokenization.make_pipeline("en")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("raw/x.txt", "x.txt"),
        ("raw/x.txt.gz", "x.txt"),
        ("x.gz", "x.txt"),
        ("x", "x.txt"),
        ("news.en-00001-of-00100", "news.en-00001-of-00100.txt"),
    ],
)
def test_output_is_named_after_its_input(source, name):
    assert tokenization.output_paths([source], "corpus") == [f"corpus/{name}"]


def test_inputs_with_one_output_name_are_refused():
    with pytest.raises(InputError, match=r"a/x\.txt and b/x\.txt\.gz would both be written to corpus/x\.txt"):
        tokenization.output_paths(["a/x.txt", "b/x.txt.gz"], "corpus")


@pytest.mark.parametrize("folder", [".", "link"])
def test_an_output_that_would_overwrite_an_input_is_refused(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "x.txt").write_text("raw")
    with pytest.raises(InputError, match=r"the output for x\.txt would overwrite the input x\.txt"):
        tokenization.output_paths(["x.txt"], folder)
