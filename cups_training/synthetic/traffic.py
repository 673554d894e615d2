"""Who is on the street: parked cars, people, all kinds of movers, none touching another.

The scene sampler calls it once per drive; every course is tested against everything placed before
it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cups_training.synthetic import ego as camera_car
from cups_training.synthetic.actors import Actor, Body
from cups_training.synthetic.collisions import overlap
from cups_training.synthetic.materials import MaterialTable
from cups_training.synthetic.people import cyclist, pedestrian
from cups_training.synthetic.settings import DriveSettings
from cups_training.synthetic.street import BEHIND_M, KERB_M, LANE_M, Street
from cups_training.synthetic.trajectories import Trajectory
from cups_training.synthetic.vehicles import car, van

Floats = NDArray[np.float64]
_LOT_M = 6.0
_PARKING_M = 4.62
_MARGIN_M = 0.12
_ATTEMPTS = 15
_CHECK_EVERY = 4


class TrafficSampler:
    """Places actors one after another; each newcomer must keep clear of all others at all times.

    Args:
        random: draws everything.
        materials: receives the actors' materials.
        settings: of the drive.
        street: where they are.
        times: nodes of every course, seconds.
        along: the ego's place along the street per node, metres.
        ego: its course.
    """

    def __init__(
        self,
        random: np.random.Generator,
        materials: MaterialTable,
        settings: DriveSettings,
        street: Street,
        times: Floats,
        along: Floats,
        ego: Trajectory,
    ) -> None:
        self._random, self._materials, self._settings, self._street = (
            random,
            materials,
            settings,
            street,
        )
        self._times, self._along = times, along
        self._checked = times[::_CHECK_EVERY]
        self._length_s = float(settings.frames / settings.rate_hz)
        self._mirror = 1.0 if settings.reflections else 0.0
        self.actors: list[Actor] = []
        self._centres: list[Floats] = []
        self._headings: list[Floats] = []
        self._halves: list[Floats] = []
        self._occupy(ego, np.array([camera_car.LENGTH_M / 2 + 0.5, camera_car.WIDTH_M / 2 + 0.25]))
        furniture = street.furniture
        for place, half in zip(furniture.places, furniture.half_sizes, strict=True):
            course = Trajectory.of_street(street.line, times, place[0], place[1], 0.0)
            self._occupy(course, half)

    def sample(self) -> list[Actor]:
        """Everyone on the street."""
        self._park()
        if self._settings.standing_lookalikes:
            self._wait()
        if self._settings.traffic > 0:
            self._move()
        return self.actors

    def _occupy(self, course: Trajectory, half: Floats) -> None:
        centre, heading = course.place(self._checked)
        self._centres.append(centre)
        self._headings.append(heading)
        self._halves.append(half)

    def _try(
        self, body: Body, along: Floats | float, left: Floats | float, heading: Floats | float
    ) -> bool:
        """Place the body on this course if it stays clear of everyone."""
        course = Trajectory.of_street(self._street.line, self._times, along, left, heading)
        centre, turn = course.place(self._checked)
        half = np.array([body.length_m, body.width_m]) / 2 + _MARGIN_M
        touching = overlap(
            centre,
            turn,
            half,
            np.array(self._centres),
            np.array(self._headings),
            np.array(self._halves)[:, None],
        )
        if touching.any():
            return False
        self._occupy(course, half)
        offset = np.abs(np.broadcast_to(left, self._times.shape))
        on_pavement = course.is_static and offset[0] > 5.9
        walks_there = not course.is_static and body.kind == "pedestrian" and offset.min() > 5.9
        self.actors.append(Actor(body, course, KERB_M if on_pavement or walks_there else 0.0))
        return True

    def _vehicle(self, vans: float = 0.15) -> Body:
        model = van if self._random.random() < vans else car
        return model(self._random, self._materials, mirror=self._mirror)

    def _park(self) -> None:
        draw = self._random
        for sign in (-1, 1):
            for lot in np.arange(-BEHIND_M + 3.0, self._street.end_m, _LOT_M):
                if draw.random() > self._settings.parked or self._street.in_junction(lot, 3.0):
                    continue
                turn = (0.0 if sign < 0 else np.pi) + draw.normal(0, 0.012)
                self._try(
                    self._vehicle(),
                    lot + draw.uniform(-0.4, 0.4),
                    sign * _PARKING_M + draw.normal(0, 0.06),
                    turn,
                )

    def _wait(self) -> None:
        """Things that look like movers and stand: people at the road's edge, waiting cars."""
        draw, street = self._random, self._street
        for _ in range(2 + draw.poisson(2.0)):
            near = float(draw.choice(self._along)) + draw.uniform(4.0, 28.0)
            self._repeat(
                lambda near=near: self._try(  # type: ignore[misc]
                    pedestrian(draw, self._materials),
                    near + draw.uniform(-3, 3),
                    draw.choice([-1, 1]) * draw.uniform(6.0, 8.3),
                    draw.uniform(0, 2 * np.pi),
                )
            )
        if draw.random() < 0.5:
            side = draw.choice([-1, 1])
            self._try(
                self._vehicle(),
                street.junction_m - side * 1.8,
                side * draw.uniform(9.5, 11.0),
                -side * np.pi / 2,
            )
        if draw.random() < 0.4:
            self._try(
                self._vehicle(), street.junction_m + 8.5 + draw.uniform(0, 2), LANE_M / 2, np.pi
            )

    def _repeat(self, attempt: Callable[[], bool]) -> None:
        for _ in range(_ATTEMPTS):
            if attempt():
                return

    def _count(self, base: float, per_second: float) -> int:
        return int(
            self._random.poisson(self._settings.traffic * (base + per_second * self._length_s))
        )

    def _move(self) -> None:
        draw = self._random
        if self._settings.epipolar_movers:
            if draw.random() < 0.6 * self._settings.traffic:
                self._repeat(self._lead)
            for _ in range(self._count(0.9, 0.5)):
                self._repeat(self._oncoming)
        for _ in range(self._count(1.8, 0.7)):
            self._repeat(self._crossing_person)
        for _ in range(self._count(1.2, 0.1)):
            self._repeat(self._zebra_person)
        for _ in range(self._count(1.0, 0.3)):
            self._repeat(self._crossing_car)
        for _ in range(self._count(1.2, 0.3)):
            self._repeat(self._cyclist)
        for _ in range(self._count(0.3, 0.1)):
            self._repeat(self._pulling_out)
        for _ in range(self._count(2.0, 0.6)):
            self._repeat(self._walker)

    def _moment(self, late_s: float = 0.0) -> tuple[float, float]:
        """A time within the drive (or up to `late_s` after it) and where the ego is then."""
        time = self._random.uniform(0.1, self._length_s + late_s)
        return time, float(np.interp(time, self._times, self._along))

    def _lead(self) -> bool:
        draw = self._random
        gap = draw.uniform(7.5, 15.0)
        along = self._along + gap
        if self._along[-1] - self._along[0] < 0.5 * self._length_s:
            # The ego stands or brakes to a stop: the car ahead drives off.
            along = self._along[0] + gap + draw.uniform(3.0, 7.0) * (self._times - self._times[0])
        return self._try(self._vehicle(), along, -LANE_M / 2 + draw.uniform(-0.2, 0.2), 0.0)

    def _oncoming(self) -> bool:
        draw = self._random
        time, place = self._moment(1.2)
        along = place + draw.uniform(2.0, 7.0) - draw.uniform(5.0, 11.0) * (self._times - time)
        return self._try(self._vehicle(0.2), along, LANE_M / 2 + draw.uniform(-0.25, 0.35), np.pi)

    def _crossing_person(self) -> bool:
        draw = self._random
        time, place = self._moment()
        way = float(draw.choice([-1, 1]))
        left = draw.uniform(-2.5, 2.5) + way * draw.uniform(1.0, 2.2) * (self._times - time)
        if np.abs(left).max() > 8.5:
            return False
        slant = draw.uniform(-0.15, 0.15)
        along = place + draw.uniform(5.0, 11.0) + slant * left
        return self._try(
            pedestrian(draw, self._materials), along, left, way * np.pi / 2 - way * slant
        )

    def _zebra_person(self) -> bool:
        draw = self._random
        time, _ = self._moment()
        way = float(draw.choice([-1, 1]))
        left = draw.uniform(-5.0, 5.0) + way * draw.uniform(1.0, 1.8) * (self._times - time)
        place = self._street.crosswalk_m + draw.uniform(0.4, 2.6)
        return self._try(pedestrian(draw, self._materials), place, left, way * np.pi / 2)

    def _crossing_car(self) -> bool:
        draw = self._random
        time, _ = self._moment(0.5)
        way = float(draw.choice([-1, 1]))
        left = draw.uniform(-4.0, 4.0) + way * draw.uniform(4.0, 9.0) * (self._times - time)
        body = cyclist(draw, self._materials) if draw.random() < 0.25 else self._vehicle(0.2)
        return self._try(body, self._street.junction_m + way * 1.9, left, way * np.pi / 2)

    def _cyclist(self) -> bool:
        draw = self._random
        time, place = self._moment()
        way = float(draw.choice([-1, 1]))
        along = (
            place + draw.uniform(4.5, 12.0) + way * draw.uniform(3.0, 6.0) * (self._times - time)
        )
        left = -way * draw.uniform(2.75, 3.05)
        return self._try(cyclist(draw, self._materials), along, left, 0.0 if way > 0 else np.pi)

    def _pulling_out(self) -> bool:
        draw = self._random
        time, place = self._moment()
        way = float(draw.choice([-1, 1]))
        speed = 1.5 * np.maximum(self._times - time + 1.5, 0.0)
        covered = np.concatenate(
            [[0.0], np.cumsum(0.5 * (speed[1:] + speed[:-1]) * np.diff(self._times))]
        )
        along = place + draw.uniform(7.0, 20.0) + way * covered
        # A smooth step sideways over the first 9 metres.
        step = np.clip(covered / 9.0, 0.0, 1.0)
        left = -way * (_PARKING_M - (_PARKING_M - LANE_M / 2) * step * step * (3 - 2 * step))
        slope = way * np.gradient(left) / np.maximum(np.gradient(covered), 1e-4)
        heading = np.where(covered > 0.01, np.arctan(slope), 0.0) + (0.0 if way > 0 else np.pi)
        return self._try(self._vehicle(), along, left, heading)

    def _walker(self) -> bool:
        draw = self._random
        time, place = self._moment()
        way = float(draw.choice([-1, 1]))
        pace = draw.uniform(2.4, 3.2) if draw.random() < 0.2 else draw.uniform(1.0, 1.8)
        along = place + draw.uniform(4.0, 22.0) + way * pace * (self._times - time)
        left = float(draw.choice([-1, 1])) * draw.uniform(6.9, 8.4)
        return self._try(pedestrian(draw, self._materials), along, left, 0.0 if way > 0 else np.pi)
