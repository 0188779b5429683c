"""The agents. All they know of each other is their names; all they share is the Mailbox."""

# planner ───task───▶ worker ───report──▶ reviewer
#                     worker ◀──question── reviewer     (a request, and
#                     worker ───answer──▶ reviewer      its reply)
# planner ◀─────────────review─────────── reviewer
# planner ───stop───▶ worker
# planner ──report──▶ you

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import trio

from observatory import Mailbox, Message
from observatory.cli.demo.checking import look_up, question_about
from observatory.cli.demo.finding import find_files
from observatory.cli.demo.reading import Findings, read_file
from observatory.cli.demo.report import Check, Review, to_markdown
from observatory.cli.output import counted

PLANNER = "planner"
WORKERS = ("worker-1", "worker-2", "worker-3", "worker-4")
REVIEWER = "reviewer"
YOU = "you"


async def planner(mailbox: Mailbox, folder: Path, workers: Sequence[str] = WORKERS) -> None:
    """Hand out the files of a folder, each to whoever has least to do, and pass the review on."""
    found = await find_files(folder)
    plan = {"files": len(found.files), "left_out": found.left_out}
    await mailbox.send_message(
        REVIEWER, PLANNER, f"expect {counted(len(found.files), 'report')}", type="plan", metadata=plan
    )
    for path in found.files:
        worker = min(workers, key=mailbox.unread_count)
        await mailbox.send_message(worker, PLANNER, path, type="task")
    review = await mailbox.receive(PLANNER)
    await mailbox.mark_read(PLANNER, review.id)
    await mailbox.broadcast_to_many(workers, PLANNER, "that was all; thank you", type="stop")
    await mailbox.send_message(YOU, PLANNER, review.content, type="report", metadata=review.metadata)


async def worker(mailbox: Mailbox, name: str, folder: Path) -> None:
    """Read the files that are handed out, report on each, and answer questions about them."""
    while True:
        message = await mailbox.receive(name)
        match message.type:
            case "task":
                findings = await read_file(folder, message.content)
                await mailbox.send_message(
                    REVIEWER, name, _summary(findings), type="report", metadata=attrs.asdict(findings)
                )
            case "question":
                await mailbox.reply(message, await look_up(folder, message.metadata["about"]), type="answer")
            case _:  # "stop"
                await mailbox.mark_read(name, message.id)
                return
        await mailbox.mark_read(name, message.id)


async def reviewer(mailbox: Mailbox) -> None:
    """Collect the reports, ask back where something is worth a check, and hand the review to the planner."""
    review = Review()
    expected: int | None = None
    async with trio.open_nursery() as questions:
        while len(review.findings) != expected:
            message = await mailbox.receive(REVIEWER)
            match message.type:
                case "plan":
                    expected = message.metadata["files"]
                    review.left_out = message.metadata["left_out"]
                case "report":
                    findings = Findings(**message.metadata)
                    review.findings.append(findings)
                    questions.start_soon(_ask, mailbox, message.from_, findings, review)
            await mailbox.mark_read(REVIEWER, message.id)
    sections = review.sections()
    await mailbox.send_message(
        PLANNER,
        REVIEWER,
        to_markdown(review.headline(), sections),
        type="review",
        metadata={
            "headline": review.headline(),
            "sections": [attrs.asdict(section) for section in sections],
            "requests": len(review.checks),
        },
    )


async def _ask(mailbox: Mailbox, worker: str, findings: Findings, review: Review) -> None:
    """Ask the worker who has reported, while other reports come in."""
    question = question_about(findings)
    if question is None:
        return
    answer: Message = await mailbox.request(
        worker, REVIEWER, question.text, type="question", metadata={"about": attrs.asdict(question)}
    )
    review.checks.append(Check(findings.path, question.text, worker, answer.content))


def _summary(findings: Findings) -> str:
    if findings.problem is not None:
        return f"{findings.path}: not read: {findings.problem}"
    worth = len(findings.broken_links) + len(findings.marks)
    return f"{findings.path}: {counted(findings.words, 'word')}, {worth or 'nothing'} worth a look"
