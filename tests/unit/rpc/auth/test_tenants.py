from hashlib import sha256

import pytest

from service.domain.tenant import Rates
from service.rpc.auth.tenants import TenantReader


def digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "auth.toml"


def reading(file, text: str, *given: tuple[str, str]) -> TenantReader:
    file.write_text(text)
    return TenantReader(str(file), given, Rates())


def tenant(name: str, *lines: str) -> str:
    return "\n".join([f"[tenants.{name}]", *lines, ""])


def test_a_token_has_the_limits_of_its_tenant(file):
    text = tenant("one", f'token_sha256 = ["{digest("t")}"]', "max_turns = 3", 'models = ["gpt-*"]')
    caller = reading(file, text)().of_token(sha256(b"t").digest())
    assert caller is not None
    assert (caller.tenant, caller.max_turns, caller.models) == ("one", 3, ("gpt-*",))
    assert not caller.has_peers


def test_a_rate_that_the_file_leaves_out_is_that_of_all(file):
    defaults = Rates(requests_per_minute=7, tokens_per_day=9)
    one = tenant(
        "one", f'token_sha256 = ["{digest("t")}"]', "requests_per_minute = 3", "tokens_per_minute = 5"
    )
    file.write_text(one)
    tenants = TenantReader(str(file), [("s", "two")], defaults)()
    callers = tenants.of_token(sha256(b"t").digest()), tenants.of_token(sha256(b"s").digest())
    assert [caller and caller.rates for caller in callers] == [Rates(3, 5, 9), defaults]
    tenants = TenantReader("", [("s", "two")], Rates())()
    assert (caller := tenants.of_token(sha256(b"s").digest())) is not None
    assert caller.rates is None


def test_an_issuer_names_the_tenants_of_the_file_and_of_the_environment(file):
    text = tenant("one", 'subjects = ["spiffe://one", "s:1"]', "max_turns = 3")
    tenants = reading(file, text, ("s", "two"))()
    for subject in ("one", "spiffe://one", "s:1"):
        assert (tenants.of_subject(subject).tenant, tenants.of_subject(subject).max_turns) == ("one", 3)
    assert tenants.of_subject("two").tenant == "two"
    for subject in ("three", "spiffe://two", ""):
        with pytest.raises(ValueError, match="a tenant of the auth file"):
            tenants.of_subject(subject)


def test_without_a_file_it_names_whom_it_wants():
    tenants = TenantReader("", [("s", "two")], Rates(tokens_per_day=9), has_peers=True)()
    caller = tenants.of_subject("three")
    assert (caller.tenant, caller.rates, caller.has_peers) == ("three", Rates(tokens_per_day=9), True)
    for subject in ("spiffe://two", "", "a" * 129, "a\n"):
        with pytest.raises(ValueError, match="a tenant's name: 1 to 128 of"):
            tenants.of_subject(subject)


def test_an_unknown_token_is_nobody(file):
    assert (
        reading(file, tenant("one", f'token_sha256 = ["{digest("t")}"]'))().of_token(sha256(b"T").digest())
        is None
    )


def test_the_file_limits_a_tenant_of_the_environment(file):
    tenants = reading(file, tenant("one", "max_turns = 3"), ("s", "one"), ("u", "two"))()
    one, two = tenants.of_token(sha256(b"s").digest()), tenants.of_token(sha256(b"u").digest())
    assert one is not None
    assert two is not None
    assert (one.max_turns, two.max_turns, one.has_peers) == (3, None, True)


def test_a_certificate_of_two_tenants_proves_neither(file):
    text = tenant("one", 'certificates = ["a", "b"]') + tenant("two", 'certificates = ["c"]')
    tenants = reading(file, text)()
    caller = tenants.of_certificate({"a", "b", "x"})
    assert caller is not None
    assert caller.tenant == "one"
    assert tenants.of_certificate({"a", "c"}) is None
    assert tenants.of_certificate({"x"}) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tenants = 1",
        "[tenants",
        "other = 1\n" + tenant("one"),
        tenant('"a b"'),
        tenant("one", "max_turns = 0"),
        tenant("one", "max_turnes = 1"),
        tenant("one", "tokens_per_day = 0"),
        tenant("one", 'subjects = ["s"]') + tenant("two", 'subjects = ["s"]'),
        tenant("one", 'subjects = ["two"]') + tenant("two"),
        tenant("one", f"tokens_per_day = {10**400}"),
        tenant("one", "models = []"),
        tenant("one", 'token_sha256 = ["s3cret"]'),
        tenant("one", 'certificates = ["a"]') + tenant("two", 'certificates = ["a"]'),
        tenant("one", f'token_sha256 = ["{digest("t")}"]')
        + tenant("two", f'token_sha256 = ["{digest("t")}"]'),
    ],
)
def test_an_invalid_file_is_refused_without_its_secrets(file, text):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the text is what is checked
        reading(file, text)()
    assert "s3cret" not in str(caught.value)
    assert digest("t") not in str(caught.value)


def test_a_limit_that_vanished_is_a_file_cut_off(file):
    read = reading(file, tenant("one", "max_turns = 3"), ("s", "one"))
    read()
    file.write_text(tenant("two"))
    with pytest.raises(ValueError, match="max_turns was there before"):
        read()


def test_a_tenant_that_vanished_with_its_tokens_is_removed(file):
    one = tenant("one", f'token_sha256 = ["{digest("t")}"]', "max_turns = 3")
    read = reading(file, one + tenant("two"))
    assert read().of_token(sha256(b"t").digest()) is not None
    file.write_text(tenant("two"))
    assert read().of_token(sha256(b"t").digest()) is None


def test_without_a_file_the_environment_names_the_tenants():
    caller = TenantReader("", [("s", "one")], Rates())().of_token(sha256(b"s").digest())
    assert caller is not None
    assert caller.tenant == "one"
