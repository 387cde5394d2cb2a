"""Chat templates of well-known models, written from their published formats, each with a small tokenizer of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from training.algorithms.tokenisation import train_tokenizer


@dataclass(frozen=True, kw_only=True)
class ChatFormat:
    """How a family of models writes a conversation."""

    name: str
    template: str
    specials: tuple[str, ...]  # control tokens
    eos: str
    stop: str  # the token that ends a reply
    bos: str | None = None
    adds_bos: bool = False  # the tokenizer puts BOS in front by itself, the template does not
    knows_system: bool = True


CHATML = ChatFormat(
    name="chatml",
    template=(
        "{% for message in messages %}"
        "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    ),
    specials=("<|im_start|>", "<|im_end|>", "<|endoftext|>"),
    eos="<|endoftext|>",
    stop="<|im_end|>",
)
LLAMA_2 = ChatFormat(
    name="llama-2",
    template=(
        "{% if messages[0]['role'] == 'system' %}"
        "{% set system = '<<SYS>>\n' + messages[0]['content'] + '\n<</SYS>>\n\n' %}{% set turns = messages[1:] %}"
        "{% else %}{% set system = '' %}{% set turns = messages %}{% endif %}"
        "{% for message in turns %}"
        "{% if message['role'] == 'user' %}"
        "{{ bos_token + '[INST] ' + (system if loop.first else '') + message['content'].strip() + ' [/INST]' }}"
        "{% else %}{{ ' ' + message['content'].strip() + ' ' + eos_token }}{% endif %}"
        "{% endfor %}"
    ),
    specials=("<s>", "</s>"),
    bos="<s>",
    eos="</s>",
    stop="</s>",
)
LLAMA_3 = ChatFormat(
    name="llama-3",
    template=(
        "{{ bos_token }}"
        "{% for message in messages %}"
        "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
        "{{ message['content'].strip() + '<|eot_id|>' }}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
    ),
    specials=("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    bos="<|begin_of_text|>",
    eos="<|end_of_text|>",
    stop="<|eot_id|>",
)
MISTRAL = ChatFormat(
    name="mistral",
    template=(
        "{{ bos_token }}"
        "{% for message in messages %}"
        "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('Roles must alternate user, assistant, user, …') }}{% endif %}"
        "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
        "{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}"
        "{% endfor %}"
    ),
    specials=("<s>", "</s>", "[INST]", "[/INST]"),
    bos="<s>",
    eos="</s>",
    stop="</s>",
    knows_system=False,
)
ALPACA = ChatFormat(
    name="alpaca",
    template=(
        "{% for message in messages %}"
        "{% if message['role'] == 'system' %}{{ message['content'] + '\n\n' }}"
        "{% elif message['role'] == 'user' %}{{ '### Instruction:\n' + message['content'] + '\n\n' }}"
        "{% else %}{{ '### Response:\n' + message['content'] + eos_token + '\n\n' }}{% endif %}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}"
    ),
    specials=("<s>", "</s>"),
    bos="<s>",
    eos="</s>",
    stop="</s>",
    adds_bos=True,
)
ZEPHYR = ChatFormat(
    name="zephyr",
    template=(
        "{% for message in messages %}"
        "{{ '<|' + message['role'] + '|>\n' + message['content'] + eos_token + '\n' }}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
    ),
    specials=("<s>", "</s>"),
    bos="<s>",
    eos="</s>",
    stop="</s>",
    adds_bos=True,
)
FORMATS = (CHATML, LLAMA_2, LLAMA_3, MISTRAL, ALPACA, ZEPHYR)


@cache
def tokenizer_of(chat_format: ChatFormat) -> PreTrainedTokenizerFast:
    """A byte-level BPE with the format's control tokens and template; its pad token is its EOS, as so often."""
    made = train_tokenizer(["What is 2 + 2? It is 4.\n\n### Response:\nfour"] * 3, vocab_size=300)
    made.add_special_tokens({"additional_special_tokens": list(chat_format.specials)})
    made.bos_token, made.eos_token, made.pad_token = chat_format.bos, chat_format.eos, chat_format.eos
    if chat_format.adds_bos:
        bos = str(chat_format.bos)
        made.backend_tokenizer.post_processor = TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, made.convert_tokens_to_ids(bos))]
        )
    made.chat_template = chat_format.template
    return made
