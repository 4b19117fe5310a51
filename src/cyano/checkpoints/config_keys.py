"""The settings that Hugging Face's config.json has for each network: keys, types, defaults and limits.

A key that is neither known nor one of the general keys that transformers writes into every config.json, but looks like
a known one, is an error, since it is most likely a slip that would be ignored silently.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from difflib import get_close_matches

from cyano.errors import InputError
from cyano.models.superpoint import CELL

__all__ = [
    "GENERAL_KEYS",
    "LOCALISATION",
    "SUPERGLUE_DEFAULTS",
    "SUPERGLUE_OWN",
    "SUPERPOINT_DEFAULTS",
    "check_keys",
    "checked_value",
]

logger = logging.getLogger(__name__)

SUPERPOINT_DEFAULTS: Mapping[str, object] = {
    "encoder_hidden_sizes": (64, 64, 128, 128),
    "decoder_hidden_size": 256,
    "keypoint_decoder_dim": CELL * CELL + 1,
    "descriptor_decoder_dim": 256,
    "keypoint_threshold": 0.005,
    "max_keypoints": -1,
    "nms_radius": 4,
    "border_removal_distance": 4,
    "initializer_range": 0.02,
}
"""Keys of a SuperPoint config.json. A tuple stands for a JSON list of whole numbers or of names."""

LOCALISATION = "keypoint_localisation"
"""A key of Cyano's own in a SuperPoint config.json, written only where it is not what transformers does."""

SUPERGLUE_DEFAULTS: Mapping[str, object] = {
    "hidden_size": 256,
    "keypoint_encoder_sizes": (32, 64, 128, 256),
    "gnn_layers_types": ("self", "cross") * 9,
    "num_attention_heads": 4,
    "sinkhorn_iterations": 100,
    "matching_threshold": 0.0,
    "initializer_range": 0.02,
    "is_decoder": False,
    "attention_probs_dropout_prob": 0.0,
}
"""Keys of a SuperGlue config.json, but for the nested `keypoint_detector_config`."""

SUPERGLUE_OWN: Mapping[str, object] = {"input_size": 0, "keypoint_extras": 0}
"""Keys of Cyano's own in it, written only where they are not what transformers does."""

GENERAL_KEYS = frozenset(
    [
        "_name_or_path",
        "_attn_implementation",
        "_commit_hash",
        "add_cross_attention",
        "architectures",
        "attn_implementation",
        "auto_map",
        "bad_words_ids",
        "begin_suppress_tokens",
        "bos_token_id",
        "chunk_size_feed_forward",
        "cross_attention_hidden_size",
        "decoder_start_token_id",
        "diversity_penalty",
        "do_sample",
        "dtype",
        "early_stopping",
        "encoder_no_repeat_ngram_size",
        "eos_token_id",
        "exponential_decay_length_penalty",
        "finetuning_task",
        "forced_bos_token_id",
        "forced_eos_token_id",
        "id2label",
        "is_encoder_decoder",
        "label2id",
        "length_penalty",
        "max_length",
        "min_length",
        "model_type",
        "no_repeat_ngram_size",
        "num_beam_groups",
        "num_beams",
        "num_labels",
        "num_return_sequences",
        "output_attentions",
        "output_hidden_states",
        "output_scores",
        "pad_token_id",
        "prefix",
        "problem_type",
        "pruned_heads",
        "remove_invalid_values",
        "repetition_penalty",
        "return_dict",
        "return_dict_in_generate",
        "sep_token_id",
        "suppress_tokens",
        "task_specific_params",
        "temperature",
        "tf_legacy_loss",
        "tie_encoder_decoder",
        "tie_word_embeddings",
        "tokenizer_class",
        "top_k",
        "top_p",
        "torch_dtype",
        "torchscript",
        "transformers_version",
        "typical_p",
        "use_bfloat16",
        "use_cache",
    ]
)
"""What transformers 4 and 5 write into any model's config.json; none of it changes these networks."""

_LOWEST: Mapping[str, float] = {
    "decoder_hidden_size": 1,
    "descriptor_decoder_dim": 1,
    "nms_radius": 0,
    "border_removal_distance": 0,
    "hidden_size": 1,
    "input_size": 0,
    "keypoint_extras": 0,
    "num_attention_heads": 1,
    "sinkhorn_iterations": 0,
    "initializer_range": 0,
    "attention_probs_dropout_prob": 0,
}


_MOST: Mapping[str, int] = {
    "max_keypoints": 2**31 - 1,
    "nms_radius": 1024,
    "border_removal_distance": 2**31 - 1,
    "sinkhorn_iterations": 100_000,
}
"""Of whole numbers; those that are not listed are numbers of channels."""

_MAX_CHANNELS = 65_536
_MAX_ENTRIES = 1024  # of a list: the layers of a network


def check_keys(given: Mapping[str, object], known: Mapping[str, object], extra: frozenset[str] = GENERAL_KEYS) -> None:
    """Refuse a key that is most likely a misspelt one; log other unknown keys.

    Raises:
        InputError: a key is unknown and close to a known one.
    """
    for key in given:
        if key in known or key in extra:
            continue
        near = get_close_matches(key, list(known), n=1, cutoff=0.75)
        if near:
            raise InputError(f"there is no setting {key!r}; did you mean {near[0]!r}?")
        logger.warning("setting %r is not known and has no effect", key)


def checked_value(key: str, value: object, default: object) -> object:
    """`value` in the type of `default`: list to tuple, int to float where a float is due.

    Raises:
        InputError: the value has another type or is out of range.
    """
    result = value
    fits = isinstance(value, type(default)) and isinstance(value, bool) == isinstance(default, bool)
    if isinstance(default, tuple) and isinstance(value, list | tuple):
        result = tuple(value)
        fits = all(type(item) is type(default[0]) for item in result)
    elif isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        result, fits = float(value), True
    if not fits:
        raise InputError(f"{key} must be {_describe(default)}, not {value!r}")
    _check_range(key, result)
    return result


def _describe(default: object) -> str:
    if isinstance(default, tuple):
        return "a list of names" if isinstance(default[0], str) else "a list of whole numbers"
    if isinstance(default, bool):
        return "true or false"
    return "a number" if isinstance(default, float) else "a whole number"


def _check_range(key: str, value: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{key} must be a finite number, not {value}")
    if key in _LOWEST and isinstance(value, int | float) and value < _LOWEST[key]:
        raise InputError(f"{key} must be at least {_LOWEST[key]:g}, not {value}")
    if isinstance(value, int) and value > _MOST.get(key, _MAX_CHANNELS):
        raise InputError(f"{key} must be at most {_MOST.get(key, _MAX_CHANNELS)}, not {value}")
    if isinstance(value, tuple) and len(value) > _MAX_ENTRIES:
        raise InputError(f"{key} must have at most {_MAX_ENTRIES} entries, not {len(value)}")
    if key == "gnn_layers_types" and isinstance(value, tuple) and not set(value) <= {"self", "cross"}:
        raise InputError(f"all gnn_layers_types must be 'self' or 'cross', not {sorted(set(value))}")
    if key in ("encoder_hidden_sizes", "keypoint_encoder_sizes") and isinstance(value, tuple):
        if not all(1 <= item <= _MAX_CHANNELS for item in value):
            raise InputError(f"{key} must be from 1 to {_MAX_CHANNELS}, not {list(value)}")
        if key == "encoder_hidden_sizes" and len(value) != 4:
            raise InputError(f"encoder_hidden_sizes must have 4 entries (a stride of {CELL}), not {len(value)}")
    if key == LOCALISATION and value not in ("probability", "structure"):
        raise InputError(f"{key} must be 'probability' or 'structure', not {value!r}")
    if key == "keypoint_decoder_dim" and value != CELL * CELL + 1:
        raise InputError(f"keypoint_decoder_dim must be {CELL * CELL + 1}: {CELL}x{CELL} pixels and 'no keypoint'")
