"""The queue: order, tries, finished tasks, room of an engine, sentences of failures."""

from __future__ import annotations

import pytest

from lren_tf.errors import InputError, TrainingDiverged, WorkerLost
from lren_tf.tasks.run import Attempt, Ended, Here, Task, attempted, run_tasks, sentence_of
from tests.tasks import calls


def run(*tasks, **options):
    told = []
    outcomes = run_tasks(
        tasks, Here(), told=lambda outcome, again: told.append((outcome, again)), **options
    )
    return outcomes, [(o.task.name, o.failure is None, again) for o, again in told]


def test_values_in_order():
    outcomes, told = run(*(Task(f"t{n}", calls.double, (n,)) for n in range(4)))
    assert [(o.value, o.failure, o.tries) for o in outcomes] == [(2 * n, None, 1) for n in range(4)]
    assert told == [(f"t{n}", True, False) for n in range(4)]
    assert all(o.seconds >= 0 for o in outcomes)


def test_no_task():
    assert run() == ([], [])


def test_a_failure_is_tried_again_after_the_others(tmp_path):
    bad = Task("bad", calls.crash)
    outcomes, told = run(bad, Task("once", calls.refuse_at_first, (str(tmp_path),)),
                         Task("good", calls.double, (1,)))  # fmt: skip
    assert told == [
        ("bad", False, True), ("once", False, True), ("good", True, False),
        ("bad", False, False), ("once", True, False),
    ]  # fmt: skip
    assert [o.tries for o in outcomes] == [2, 2, 1]
    assert outcomes[0].failure == "unexpected error: KeyError: 'gone'"
    assert "in crash" in outcomes[0].trace
    assert outcomes[1].value == 2


def test_a_refusal_is_final_unless_a_file_could_not_be_reached():
    outcomes, told = run(Task("bad", calls.refuse), Task("away", calls.unreachable))
    assert told == [("bad", False, False), ("away", False, True), ("away", False, False)]
    assert [o.tries for o in outcomes] == [1, 2]
    assert outcomes[0].failure == "the number is 3; expected 4"
    assert "in refuse" in outcomes[0].trace


def test_as_many_tries_as_asked_for(tmp_path):
    outcomes, _ = run(Task("bad", calls.crash), tries=1)
    assert outcomes[0].tries == 1


def test_finished_ones_are_not_called(tmp_path):
    left = Task("left", calls.note, (str(tmp_path), "a"), lambda: "of before")
    new = Task("new", calls.note, (str(tmp_path), "b"), lambda: None)
    outcomes, told = run(left, new)
    assert [(o.value, o.tries) for o in outcomes] == [("of before", 0), (1, 1)]
    assert told == [("left", True, False), ("new", True, False)]
    assert not (tmp_path / "a").exists()


class Rooms:
    """An engine with several rooms, which ends what came last first."""

    def __init__(self, rooms: int) -> None:
        self.rooms, self.inside, self.most = rooms, [], 0

    def free(self):
        return self.rooms - len(self.inside)

    def start(self, number, task, tries):
        self.inside.append((number, task))
        self.most = max(self.most, len(self.inside))

    def ended(self):
        number, task = self.inside.pop()
        return [Ended(number, 1, Attempt(task.call(*task.arguments)))]


def test_as_many_at_a_time_as_there_is_room():
    engine = Rooms(3)
    outcomes = run_tasks([Task(str(n), calls.double, (n,)) for n in range(7)], engine)
    assert [o.value for o in outcomes] == [2 * n for n in range(7)]
    assert engine.most == 3


def test_a_lost_engine_ends_it_and_what_ended_was_told():
    class Lost(Rooms):
        def ended(self):
            if self.rooms == 0:
                raise WorkerLost("gone.")
            self.rooms = 0
            return super().ended()

    told = []
    with pytest.raises(WorkerLost, match="gone"):
        run_tasks(
            [Task(str(n), calls.double, (n,)) for n in range(3)], Lost(1),
            told=lambda outcome, again: told.append(outcome.value),
        )  # fmt: skip
    assert told == [0]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InputError("a\n b."), "a b"),
        (TrainingDiverged("nan."), "nan"),
        (WorkerLost("gone."), "gone"),
        (KeyError("k"), "unexpected error: KeyError: 'k'"),
        (MemoryError(), "unexpected error: MemoryError"),
    ],
)
def test_sentences(error, sentence):
    assert sentence_of(error) == sentence


@pytest.mark.parametrize("call", [calls.crash, calls.leave])
def test_an_exception_becomes_a_sentence(call):
    attempt = attempted(call, ())
    assert attempt.failure.startswith("unexpected error: ")
    assert attempt.value is None


def test_an_interruption_ends_everything():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Task("t", interrupted))
