"""The texts that people paste."""

from contextlib import suppress

from rozaneh.core import Spec, SpecError, Target, TargetError


def fuzz_spec(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    with suppress(SpecError):
        spec = Spec.parse(text)
        assert Spec.parse(str(spec)) == spec
        spec.redacted()


def fuzz_target(data: bytes) -> None:
    with suppress(TargetError):
        target = Target.parse(data.decode("utf-8", "surrogateescape"))
        assert Target.parse(str(target)) == target
