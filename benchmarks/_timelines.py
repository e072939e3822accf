"""Timelines by chance: countries, networks, services and what is done to them. No detector was tuned on them."""

import datetime as dt
import random

from rozaneh.lab.country.timeline import Happening, Kind, Liar, Mechanism, Network, Service, Timeline, usual_services

_FIRST = dt.date(2023, 3, 1)
_COUNTRIES = (
    ("IR", "Asia/Tehran"), ("TM", "Asia/Ashgabat"), ("MM", "Asia/Yangon"), ("PK", "Asia/Karachi"),
    ("ET", "Africa/Addis_Ababa"), ("VE", "America/Caracas"), ("IN", "Asia/Kolkata"), ("UG", "Africa/Kampala"),
)  # fmt: skip
_WAYS: tuple[Mechanism, ...] = (
    "dns_forgery", "dns_silence", "tls_name_reset", "tls_name_silence", "address_black_hole", "http_block_page",
)  # fmt: skip
_HISTORY = 12  # days before anything is done: what is usual has to be learnt from something
_DNS = ("google-dns", "cloudflare-dns", "quad9-dns")


def drawn(seed: int) -> Timeline:
    """A country of five to nine weeks with some of what censors do, floods, and services that are merely down.

    Args:
        seed: the same gives the same timeline.
    """
    rng = random.Random(seed)
    country, zone = rng.choice(_COUNTRIES)
    days = rng.randint(35, 63)
    networks = tuple(
        Network(asn=64_500 + number, name=f"network {number}", type=rng.choice(("mobile", "wifi")),
                share=rng.uniform(0.7, 4))
        for number in range(rng.randint(2, 7))
    )  # fmt: skip
    made = _Country(rng, _FIRST + dt.timedelta(days=rng.randrange(400)), days, networks, _services(country, rng))
    return Timeline(
        name=f"drawn {seed}", country=country, zone=zone, start=made.start,
        end=made.start + dt.timedelta(days=days - 1), per_hour=rng.uniform(40, 160), people=rng.randint(150, 1200),
        evening=rng.uniform(0.2, 0.7), day_effect=rng.uniform(0.05, 0.3), failing=rng.uniform(0.01, 0.08),
        late=rng.uniform(0, 0.4), ours=rng.uniform(0.1, 0.5), network=networks, service=made.services,
        event=tuple(made.events()), liar=tuple(made.liars()),
    )  # fmt: skip


def _services(country: str, rng: random.Random) -> tuple[Service, ...]:
    abroad = [service for service in usual_services() if not service.domestic]
    some = [s for s in abroad if s.id in _DNS or rng.random() < 0.8]
    at_home = [
        Service(id=f"site{number}.{country.lower()}", host=f"site{number}.{country.lower()}",
                address=f"198.51.100.{number}", asn=64_511, share=rng.uniform(0.5, 1.5), domestic=True)
        for number in range(1, rng.randint(3, 6))
    ]  # fmt: skip
    return (*some, *at_home)


class _Country:
    """What has been drawn of a country, and what is drawn next."""

    def __init__(
        self,
        rng: random.Random,
        start: dt.date,
        days: int,
        networks: tuple[Network, ...],
        services: tuple[Service, ...],
    ) -> None:
        self.rng, self.start, self.days = rng, start, days
        self.networks, self.services = networks, services
        self.cut: list[Happening] = []
        self.free = [s.id for s in services if not s.domestic and not s.blocked and s.id not in _DNS]
        rng.shuffle(self.free)

    def events(self) -> list[Happening]:
        """A curfew or none, a cut or none, then blocks, refusals, throttling, and services that are down."""
        rng, made = self.rng, []
        whole = rng.sample(("curfew", "cut", "cut of hours"), rng.randint(0, 2))
        day = _HISTORY
        for what in whole:  # one after the other, so that the truth is clear
            length = rng.randint(4, 10) if what != "cut of hours" else 1
            self.cut.append(self._curfew(day, length) if what == "curfew" else self._cut(day, length))
            day += length + rng.randint(4, 8)
        made += [self._of_service("block", mechanism=rng.choice(_WAYS)) for _ in range(rng.randint(1, 4))]
        if rng.random() < 0.4:
            made.append(self._event("protocol_block", _DNS, mechanism="tls_name_silence"))
        made += [self._of_service(kind) for kind in ("refusal", "throttling", "down") if rng.random() < 0.4]
        return sorted([*self.cut, *made], key=lambda event: event.start)

    def liars(self) -> list[Liar]:
        """In half of the countries somebody floods one network for hours or days."""
        rng = self.rng
        if rng.random() < 0.5:
            return []
        start = self._moment()
        few = tuple(rng.sample([s.id for s in self.services if not s.domestic], 2))
        return [
            Liar(start=start, end=start + dt.timedelta(hours=rng.choice((8, 30, 100))),
                 network=rng.choice(self.networks).asn, services=rng.choice(((), few)),
                 says=rng.choice(("blocked", "outage", "ok")), per_hour=rng.uniform(10, 80))
        ]  # fmt: skip

    def _moment(self, day: int | None = None) -> dt.datetime:
        day = self.rng.randint(_HISTORY, self.days - 4) if day is None else day
        midnight = dt.datetime.combine(self.start + dt.timedelta(days=day), dt.time())
        return midnight + dt.timedelta(minutes=30 * self.rng.randrange(48))

    def _online(self) -> dt.datetime:
        """A moment at which nothing is cut as a whole: what begins meanwhile is seen by nobody before that ends."""
        for _ in range(200):
            moment = self._moment()
            if not any(cut.start <= moment < (cut.end or moment) for cut in self.cut):
                return moment
        return self._moment()

    def _some(self) -> tuple[int, ...]:
        """All networks, or a part of them."""
        asns = [network.asn for network in self.networks]
        return () if self.rng.random() < 0.5 else tuple(sorted(self.rng.sample(asns, self.rng.randint(1, len(asns)))))

    def _curfew(self, day: int, nights: int) -> Happening:
        begin = self.rng.randrange(24)
        hours = (f"{begin:02}:00", f"{(begin + self.rng.randint(6, 11)) % 24:02}:00")
        start = dt.datetime.combine(self.start + dt.timedelta(days=day), dt.time())
        return Happening(
            kind="curfew", start=start, end=start + dt.timedelta(days=nights, seconds=-1), hours=hours,
            networks=self._some(), share=self.rng.uniform(0.6, 0.98), silent=self.rng.uniform(0, 0.5),
        )  # fmt: skip

    def _cut(self, day: int, days: int) -> Happening:
        start = self._moment(day)
        length = dt.timedelta(days=days) if days > 1 else dt.timedelta(hours=self.rng.randint(5, 20))
        kind: Kind = self.rng.choice(("outage", "domestic_only"))
        return Happening(
            kind=kind, start=start, end=start + length, networks=self._some(), share=self.rng.uniform(0.85, 0.99),
            silent=self.rng.uniform(0, 0.7),
        )  # fmt: skip

    def _of_service(self, kind: Kind, mechanism: Mechanism = "tls_name_reset") -> Happening:
        return self._event(kind, (self.free.pop(),), mechanism=mechanism)

    def _event(self, kind: Kind, services: tuple[str, ...], *, mechanism: Mechanism) -> Happening:
        start = self._online()
        # Where a site is down it is so for everybody; a service that turns a country away does so on every network.
        networks = self._some() if kind in ("block", "protocol_block") else ()
        lasts = self.rng.random() < 0.6
        end = None if lasts else start + dt.timedelta(hours=self.rng.randint(24, 240))
        return Happening(
            kind=kind, start=start, end=end, services=services, networks=networks, mechanism=mechanism,
            share=self.rng.uniform(0.85, 1.0),
        )  # fmt: skip
