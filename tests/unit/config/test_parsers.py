"""What each kind of setting accepts and refuses; an error never repeats what may be a secret."""

import pytest

from service.config import parsers


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("positive_seconds", "0.5", 0.5),
        ("zero_seconds", "0", 0.0),
        ("positive_count", "7", 7),
        ("zero_count", "0", 0),
        ("optional_count", "", None),
        ("optional_count", "7", 7),
        ("flag", "1", True),
        ("optional_flag", "", None),
        ("optional_flag", "0", False),
        ("address", "", ""),
        ("address", "[::1]:50051", "[::1]:50051"),
        ("address", "localhost:0", "localhost:0"),
        ("url", "HTTPS://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("replay", "safe-only", "safe-only"),
        ("hook", "operators.hooks:tag", "operators.hooks:tag"),
        ("hook", "", ""),
        ("tokens", "", ()),
        ("tokens", "a=one, b==two", (("a", "one"), ("b=", "two"))),
        ("level", "debug", "debug"),
        ("name", "replica 1", "replica 1"),
    ],
)
def test_accepted(kind, text, value):
    assert getattr(parsers, kind)(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("positive_seconds", "0"),
        ("positive_seconds", "1e3"),
        ("zero_seconds", "-1"),
        ("zero_seconds", "nan"),
        ("zero_seconds", "31536001"),
        ("zero_seconds", "9" * 400),
        ("positive_count", "0"),
        ("zero_count", "1.0"),
        ("zero_count", "٣"),
        ("zero_count", str(2**30 + 1)),
        ("flag", "yes"),
        ("address", "localhost"),
        ("address", ":50051"),
        ("address", "::1:50051"),
        ("address", "localhost:65536"),
        ("url", "ftp://host"),
        ("url", "wss://host/v1"),
        ("url", "https://host:0"),
        ("url", "https://[host"),
        ("url", "https://host//v1"),
        ("url", "https://host/v1#x"),
        ("url", "https://host/v1/responses"),
        ("replay", "twice"),
        ("hook", "module"),
        ("level", "DEBUG"),
        ("name", "a\nb"),
        ("name", "a" * 257),
    ],
)
def test_refused(kind, text):
    with pytest.raises(ValueError, match="must"):
        getattr(parsers, kind)(text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("url", "https://user:s3cret@host"),
        ("tokens", "s3cret"),
        ("tokens", "s3cret=a tenant"),
        ("tokens", "s3cret=one,s3cret=two"),
    ],
)
def test_a_refusal_never_repeats_a_secret(kind, text):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the text is what is checked
        getattr(parsers, kind)(text)
    assert "s3cret" not in str(caught.value)


def test_without_a_name_the_host_is_the_replica():
    assert parsers.name("")
