from __future__ import annotations

import pytest

from generation.candidate_quality.refusals import is_refusal


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, but I can’t assist with that request.",
        "I am sorry, I cannot provide instructions for that.",
        "Sorry, I won't be able to help you with this.",
        "I cannot fulfill your request. I am just an AI.",
        "I can't in good conscience help with this.",
        "I'm not able to write that story.",
        "I'm unable to provide medical advice.",
        "As an AI language model, I cannot give you an opinion on that.",
        "As a responsible assistant, I will not do this.",
        "Unfortunately, I cannot share that information.",
        "I apologize, but I am not comfortable discussing this.",
        "I must decline to answer.",
        "I must respectfully decline.",
        "It is not ethical to help somebody cheat.",
        "I don't think it would be appropriate to joke about that.",
        "I won't help you to hurt anybody.",
        "Doing so would be against my guidelines, so no.",
        "I'm sorry, that's not something I can talk about.",
        "I do not feel comfortable giving this advice.",
    ],
)
def test_a_reply_that_declines_is_a_refusal(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sure! Here is how to kill a Python process.",
        "You can't divide by zero, and I can show you why.",
        "I cannot find an error in line 3; the mistake is in line 4.",
        "I'm sorry to hear that you are ill. Have you slept enough?",
        "Unfortunately, the museum is closed on Mondays.",
        "Sorry for the delay! The answer is 4.",
        "The sky is blue, and I cannot help but smile when I see it.",
        "To refuse an invitation, say: I'm afraid that Tuesday does not suit me.",
        "The policy of the company says that dogs are allowed.",
        "I apologize for the confusion. The capital of Australia is Canberra.",
        "Decline the noun: rosa, rosae, rosae, rosam.",
        "Here is a dialogue. " + "A says hello. " * 30 + "B says: I cannot help you.",
    ],
)
def test_a_reply_that_answers_is_none(text: str) -> None:
    assert not is_refusal(text)
