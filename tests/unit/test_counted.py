"""What is added: no joule twice, none lost, whatever a machine measures."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.power.channel import Channel, Domain, Kind, Role, counted
from tests.unit.conftest import EXACT, MakeChannel


def parts(channels: tuple[Channel, ...]) -> list[str]:
    return [channel.key for channel in channels if channel.role is Role.PART]


def apu(make_channel: MakeChannel, device: str = "package-0") -> Channel:
    return make_channel("soc", kind=Kind.POWER, domain=Domain.SOC, device=device)


def test_an_apu_contains_the_measured_package_but_not_the_memory(
    make_channel: MakeChannel,
) -> None:
    soc = apu(make_channel)
    rapl = (
        make_channel("rapl:package-0"),
        make_channel("rapl:package-0:core", role=Role.INSIDE),
        make_channel("rapl:package-0:dram", domain=Domain.DRAM),
    )
    for order in ((*rapl, soc), (soc, *rapl)):
        standing = counted(order)
        assert set(parts(standing)) == {"soc", "rapl:package-0:dram"}
        roles = {channel.key: channel.role for channel in standing}
        assert roles["rapl:package-0"] is roles["rapl:package-0:core"] is Role.INSIDE


def test_an_apu_replaces_the_modelled_processor(make_channel: MakeChannel) -> None:
    soc, model = apu(make_channel), make_channel("model", kind=Kind.MODELLED)
    assert counted((soc, model)) == counted((model, soc)) == (soc,)


def test_a_discrete_card_is_added_to_an_apu(make_channel: MakeChannel) -> None:
    soc = apu(make_channel)
    card = make_channel("card", domain=Domain.GPU, device="0000:03:00.0")
    assert counted((soc, card)) == (soc, card)


def test_an_apu_in_another_socket_leaves_a_package_alone(make_channel: MakeChannel) -> None:
    soc, package = apu(make_channel, "package-1"), make_channel("rapl:package-0")
    assert counted((soc, package)) == (soc, package)


def test_a_model_of_what_is_inside_stays_beside_a_measurement(make_channel: MakeChannel) -> None:
    # The app's own cost is modelled, and shown whatever measures the processor.
    own = make_channel("own", kind=Kind.MODELLED, role=Role.INSIDE)
    package = make_channel("rapl:package-0")
    assert counted((own, package)) == (own, package)


some_channel = st.builds(
    Channel,
    key=st.uuids().map(str),
    label=st.just("a channel"),
    domain=st.sampled_from(Domain),
    device=st.sampled_from(["package-0", "package-1"]),
    kind=st.sampled_from(Kind),
    role=st.sampled_from(Role),
    period_s=st.just(0.1),
    step_j=st.just(0.0),
    accuracy=st.just(EXACT),
)


def places(channels: tuple[Channel, ...]) -> set[tuple[Domain, str, bool]]:
    """Of each part: what it measures, which one, and whether it is a model."""
    return {
        (channel.domain, channel.device, channel.kind is Kind.MODELLED)
        for channel in channels
        if channel.role is Role.PART
    }


@given(st.lists(some_channel, max_size=12).map(tuple))
def test_no_joule_is_in_two_parts_and_none_gets_lost(channels: tuple[Channel, ...]) -> None:
    standing = counted(channels)
    added = places(standing)
    for domain, device, is_model in added:
        assert not (is_model and (domain, device, False) in added)
        assert not (domain is Domain.CPU and (Domain.SOC, device, False) in added)
    for domain, device, _ in places(channels):
        covering = {domain, Domain.SOC} if domain is Domain.CPU else {domain}
        assert any((each, device) == place[:2] for each in covering for place in added)
    assert counted(standing) == standing
    kept = {channel.key: channel for channel in standing}
    assert list(kept) == [channel.key for channel in channels if channel.key in kept]
    for channel in channels:
        if channel.key not in kept:
            assert (channel.kind, channel.role) == (Kind.MODELLED, Role.PART)
        elif channel.role is not Role.PART:
            assert kept[channel.key] == channel
