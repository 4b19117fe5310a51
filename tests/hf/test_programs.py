"""Calls that programs make of transformers' classes, after the change of the import."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor
from torch.nn.parallel.scatter_gather import gather

from cyano import hf
from cyano.errors import InputError, WeightsError
from cyano.hf import (
    AutoConfig,
    AutoImageProcessor,
    AutoModel,
    SuperGlueConfig,
    SuperGlueForKeypointMatching,
    SuperPointForKeypointDetection,
)
from support.random_weights import stereo_pair


@pytest.fixture
def folder(right_model: SuperGlueForKeypointMatching, tmp_path: Path) -> Path:
    right_model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def _state(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.float() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(
    "keywords",
    [
        {"device_map": "cpu"},
        {"device_map": {"": torch.device("cpu")}},
        {"attn_implementation": "eager", "use_safetensors": True, "low_cpu_mem_usage": True},
        {"trust_remote_code": True, "force_download": False, "ignore_mismatched_sizes": False, "weights_only": True},
        {"token": None, "use_auth_token": None, "subfolder": "", "revision": "main"},
    ],
)
def test_keywords_that_ask_for_what_is_so_give_no_warning(folder: Path, keywords: dict[str, Any]) -> None:
    expected = _state(AutoModel.from_pretrained(folder))
    found = _state(AutoModel.from_pretrained(pretrained_model_name_or_path=folder, **keywords))
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    for auto in (AutoConfig, AutoImageProcessor):
        named = {name: value for name, value in keywords.items() if name in ("trust_remote_code", "subfolder")}
        auto.from_pretrained(pretrained_model_name_or_path=folder, **named)


def test_keywords_without_effect_give_one_warning(folder: Path) -> None:
    with pytest.warns(UserWarning, match="attn_implementation, use_safetensors has no effect") as caught:
        AutoModel.from_pretrained(folder, attn_implementation="sdpa", use_safetensors=False)
    assert len(caught) == 1
    with pytest.warns(UserWarning, match="safe_serialization has no effect"):
        AutoModel.from_pretrained(folder).save_pretrained(folder, safe_serialization=False)


def test_keywords_that_would_give_other_results_are_refused(folder: Path) -> None:
    for name in ("quantization_config", "gguf_file", "from_tf"):
        with pytest.raises(InputError, match=name):
            AutoModel.from_pretrained(folder, **{name: {"a": 1}})
    for bad in ({"a": "cpu", "b": "cuda:0"}, "nowhere", {}):
        with pytest.raises(InputError, match="device_map"):
            AutoModel.from_pretrained(folder, device_map=bad)
    with pytest.raises(InputError, match="no setting 'attn_implementatio'"):
        AutoModel.from_pretrained(folder, attn_implementatio="eager")


@pytest.mark.parametrize("source", ["folder", "config"])
def test_weights_that_the_program_has(
    source: str, right_model: SuperGlueForKeypointMatching, folder: Path, tmp_path: Path
) -> None:
    tensors = {name: tensor * 2 for name, tensor in right_model.state_dict().items()}
    given: dict[str, Any] = {"config": right_model.config} if source == "config" else {}
    name = None if source == "config" else folder
    model = SuperGlueForKeypointMatching.from_pretrained(name, state_dict=tensors, **given)
    assert model.config == right_model.config
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in model.state_dict().items())
    model.save_pretrained(tmp_path / "again")
    assert not (tmp_path / "again" / "README.md").exists()  # nobody knows where they come from
    detector = {key.removeprefix("keypoint_detector."): t for key, t in tensors.items() if "detector" in key}
    alone = SuperPointForKeypointDetection.from_pretrained(name, state_dict=detector, **given)
    assert all(torch.equal(tensor, detector[name]) for name, tensor in alone.state_dict().items())
    with pytest.raises(InputError, match="state_dict cannot be used here"):
        AutoModel.from_config(right_model.config, state_dict=tensors)
    with pytest.raises(WeightsError, match="state_dict do not fit"):
        AutoModel.from_pretrained(folder, state_dict={"a": torch.ones(1)})


def test_weights_are_drawn_anew(right_model: SuperGlueForKeypointMatching, pixels: Tensor) -> None:
    """What a program does with a model that was made on "meta"."""
    with torch.device("meta"):
        model = SuperGlueForKeypointMatching(right_model.config).eval()
    model.to_empty(device="cpu")
    torch.manual_seed(1)
    model.init_weights()
    torch.manual_seed(1)
    expected = SuperGlueForKeypointMatching(right_model.config).eval()
    assert all(torch.equal(tensor, _state(expected)[name]) for name, tensor in _state(model).items())
    assert torch.equal(model(pixels).matching_scores, expected(pixels).matching_scores)


def test_variants_subfolders_and_reports(folder: Path) -> None:
    model = AutoModel.from_pretrained(folder.parent, subfolder="model")
    assert isinstance(AutoConfig.from_pretrained(folder.parent, subfolder="model"), SuperGlueConfig)
    with pytest.raises(WeightsError, match=r"model\.fp16\.safetensors"):
        AutoModel.from_pretrained(folder, variant="fp16")
    model.half().save_pretrained(folder, overwrite=True)
    (folder / "model.safetensors").rename(folder / "model.fp16.safetensors")
    half, report = AutoModel.from_pretrained(folder, variant="fp16", output_loading_info=True)
    assert all(torch.equal(tensor, _state(model)[name]) for name, tensor in _state(half).items())
    assert report == {name: set() for name in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")}


def test_weights_are_real_whatever_the_default_device(folder: Path) -> None:
    expected = _state(AutoModel.from_pretrained(folder))
    with torch.device("meta"):
        model = AutoModel.from_pretrained(folder)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in _state(model).items())
    register = torch.nn.Module.register_parameter

    def on_meta(self: torch.nn.Module, name: str, parameter: torch.nn.Parameter | None) -> None:
        register(self, name, None if parameter is None else torch.nn.Parameter(parameter.detach().to("meta")))

    with pytest.MonkeyPatch.context() as patch:  # what accelerate's init_empty_weights does
        patch.setattr(torch.nn.Module, "register_parameter", on_meta)
        with pytest.raises(InputError, match="'meta'"):
            AutoModel.from_pretrained(folder)


def test_what_is_asked_of_any_model(right_model: SuperGlueForKeypointMatching) -> None:
    right_model = copy.deepcopy(right_model)
    assert right_model.num_parameters() == sum(p.numel() for p in right_model.parameters())
    right_model.keypoint_detector.requires_grad_(False)
    frozen = right_model.keypoint_detector.num_parameters()
    assert right_model.num_parameters(only_trainable=True) == right_model.num_parameters() - frozen
    assert (right_model.main_input_name, right_model.device.type) == ("pixel_values", "cpu")
    fresh = AutoModel.from_config(right_model.config, dtype="float16", attn_implementation="eager")
    assert isinstance(fresh, SuperGlueForKeypointMatching)
    assert fresh.dtype == torch.float16
    assert (
        hf.AutoModelForKeypointDetection.from_config(right_model.config.detector).config == right_model.config.detector
    )
    with pytest.raises(InputError, match="superglue and superpoint"):
        AutoModel.from_config({"hidden_size": 3})


def test_settings_as_text_and_files(right_model: SuperGlueForKeypointMatching, tmp_path: Path) -> None:
    config = right_model.config
    config.to_json_file(tmp_path / "a.json")
    assert SuperGlueConfig.from_json_file(tmp_path / "a.json") == config
    changed = SuperGlueConfig(matching_threshold=0.3)
    assert changed.to_diff_dict() == {"model_type": "superglue", "matching_threshold": 0.3}
    changed.update({"sinkhorn_iterations": 7})
    assert (changed.sinkhorn_iterations, changed.use_return_dict) == (7, True)
    config.save_pretrained(tmp_path)
    _, rest = SuperGlueConfig.from_pretrained(tmp_path, return_unused_kwargs=True, matching_threshold=0.4, foo=1)
    assert rest == {"foo": 1}
    processor = AutoImageProcessor.from_pretrained()
    assert json.loads(processor.to_json_string()) == processor.to_dict()
    assert processor.model_input_names == ["pixel_values"]
    choices = type(processor)(do_resize=None, do_convert_rgb=True)
    assert choices.save_pretrained(tmp_path) == [str(tmp_path / "preprocessor_config.json")]
    assert type(processor).from_pretrained(tmp_path) == choices  # null says no, and is kept
    processor.to_json_file(tmp_path / "p.json")
    assert type(processor).from_json_file(tmp_path / "p.json") == processor


def test_configurations_of_transformers_are_taken(folder: Path, pixels: Tensor) -> None:
    theirs = transformers.AutoConfig.from_pretrained(folder)
    theirs.sinkhorn_iterations = 3
    model = SuperGlueForKeypointMatching.from_pretrained(folder, config=theirs)
    assert model.config.sinkhorn_iterations == 3
    ours = SuperGlueForKeypointMatching.from_pretrained(folder, sinkhorn_iterations=3)
    assert torch.equal(model(pixels).matching_scores, ours(pixels).matching_scores)
    assert SuperGlueForKeypointMatching(theirs).config == ours.config
    assert SuperPointForKeypointDetection(theirs.keypoint_detector_config).config == ours.config.detector
    assert AutoModel.from_config(theirs).config == ours.config
    with pytest.raises(InputError, match="a SuperGlueConfig or a dictionary"):
        SuperGlueForKeypointMatching(3)


def test_keywords_of_a_call_of_a_processor() -> None:
    pair = list(stereo_pair(120, 160))
    process = AutoImageProcessor.from_pretrained(size={"height": 60, "width": 80})
    expected = process(pair, return_tensors="pt").pixel_values
    arrays = [np.asarray(image) for image in pair]
    same = [
        process(pair, return_tensors="pt", device="cpu", do_normalize=False, do_pad=None, image_mean=[0.5] * 3),
        process(arrays, return_tensors="pt", input_data_format="channels_last", data_format="channels_first"),
        process(pair, return_tensors=transformers.TensorType.PYTORCH, do_convert_rgb=True, disable_grouping=True),
    ]
    assert all(torch.equal(each.pixel_values, expected) for each in same)
    last = process(pair, return_tensors="pt", data_format="channels_last").pixel_values
    assert torch.equal(last.permute(0, 1, 4, 2, 3), expected)
    # Three columns are no channels where the format is told.
    narrow = np.zeros((3, 32, 1), np.uint8)
    narrow[0] = 255
    told = process([narrow, narrow], input_data_format="channels_last", do_resize=False).pixel_values[0][0]
    assert told.shape == (1, 3, 32)
    assert told[0, 0].min() == 1
    grey = [image.convert("L") for image in pair]
    assert process(grey, return_tensors="pt", do_convert_rgb=True).pixel_values.shape == (1, 2, 3, 60, 80)
    for bad in ("do_normalize", "do_center_crop", "do_pad"):
        with pytest.raises(InputError, match=bad):
            process(pair, **{bad: True})
    with pytest.raises(InputError, match="channels_first"):
        process(pair, data_format="middle")
    with pytest.raises(TypeError, match="do_colour"):
        process(pair, do_colour=True)


def test_matching_scores_have_the_gradient_of_the_matches(
    right_model: SuperGlueForKeypointMatching, pixels: Tensor
) -> None:
    """Against a finite difference of the dustbin's score."""
    right_model = copy.deepcopy(right_model)
    with torch.enable_grad():
        right_model.zero_grad()
        outputs = right_model(pixels[:1])
        outputs.matching_scores[:, 0].sum().backward()
    assert right_model.gnn.layers[0].mlp[1].weight.grad.abs().max() > 0
    gradient = float(right_model.bin_score.grad)
    sums, step = [], 1e-2
    for sign in (1, -1):
        right_model.bin_score.data = right_model.bin_score.data + sign * step
        sums.append(float(right_model(pixels[:1]).matching_scores[:, 0].double().sum()))
        right_model.bin_score.data = right_model.bin_score.data - sign * step
    # Float32 sums of some hundred scores, over 2e-2.
    assert gradient == pytest.approx((sums[0] - sums[1]) / (2 * step), rel=0.05)


@pytest.mark.parametrize("record", ["trace", "export"])
def test_recorded_models_serve_other_images(
    right_model: SuperGlueForKeypointMatching, pixels: Tensor, record: str
) -> None:
    right_model = copy.deepcopy(right_model)
    right_model.config.keypoint_detector_config.max_keypoints = 150
    right_model.config.return_dict = False
    one, other = pixels[:1], pixels[1:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about what a trace holds as constants
        run: Callable[..., Any]
        if record == "trace":
            run = torch.jit.trace(right_model, (one,), strict=False, check_trace=False)
        else:
            run = torch.export.export(right_model, (one,), strict=False).module()
        for images in (one, other):
            found = run(images)
            expected = right_model(images)
            for side in (0, 1):
                real, wanted = found[3][0, side] > 0, expected[3][0, side] > 0
                # The same keypoints, whatever their order.
                a = sorted(map(tuple, found[2][0, side][real].tolist()))
                assert a == sorted(map(tuple, expected[2][0, side][wanted].tolist()))
            counts = [int((each[0] >= 0).sum()) for each in (found, expected)]
            assert counts[0] == counts[1] > 20
            scores = [each[1][0, 0].sort(descending=True).values[:50] for each in (found, expected)]
            torch.testing.assert_close(*scores, atol=1e-4, rtol=0)  # sums in another order


def test_outputs_are_gathered_by_programs_of_several_processes(
    right_model: SuperGlueForKeypointMatching, pixels: Tensor
) -> None:
    """What torch's DataParallel and accelerate do with a mapping, on one device."""
    outputs = right_model(pixels)
    assert isinstance(outputs, dict)
    again = type(outputs)({name: value + 0 for name, value in outputs.items()})
    assert list(again) == list(outputs) == ["matches", "matching_scores", "keypoints", "mask"]
    pairs = type(outputs)((name, torch.cat([value] * 2)) for name, value in outputs.items())
    assert pairs.matches.shape[0] == 4
    assert pickle.loads(pickle.dumps(outputs)).network_sizes.tolist() == outputs.network_sizes.tolist()
    if torch.cuda.device_count() > 1:
        assert gather([right_model.cuda()(pixels.cuda())] * 2, 0).matches.shape[0] == 4


def test_weights_without_settings_as_trainer_saves_them(folder: Path, tmp_path: Path) -> None:
    saved = AutoModel.from_pretrained()
    saved.save_pretrained(tmp_path / "checkpoint")
    (tmp_path / "checkpoint" / "config.json").unlink()
    with pytest.warns(UserWarning, match=r"no config\.json.*cyano-small's") as caught:
        model = AutoModel.from_pretrained(tmp_path / "checkpoint")
    assert len(caught) == 1
    assert model.config == saved.config
    assert all(torch.equal(tensor, _state(saved)[name]) for name, tensor in _state(model).items())
    config = AutoConfig.from_pretrained(folder)
    (folder / "config.json").unlink()
    with pytest.warns(UserWarning, match="transformers' defaults"):
        small = AutoModel.from_pretrained(folder)
    assert len(small.config.gnn_layers_types) == len(config.gnn_layers_types)
    assert small.config.detector.encoder_hidden_sizes == config.detector.encoder_hidden_sizes
    assert AutoModel.from_pretrained(folder, config=config).config == config


def test_trainer_is_told_to_save_the_settings(right_model: SuperGlueForKeypointMatching, tmp_path: Path) -> None:
    class State:
        is_world_process_zero = True
        global_step = 7

    class Arguments:
        output_dir = str(tmp_path)

    callback = hf.SaveConfig()
    callback.on_train_begin(Arguments(), State(), None, model=right_model)
    callback.on_save(Arguments(), State(), None, model=right_model)
    assert AutoConfig.from_pretrained(tmp_path / "checkpoint-7") == right_model.config
    assert not hasattr(callback, "state")


def test_trainer(right_model: SuperGlueForKeypointMatching, pixels: Tensor, tmp_path: Path) -> None:
    pytest.importorskip("accelerate", reason="transformers' Trainer needs accelerate")
    labels = right_model(pixels[:1]).matches[0]
    data = [{"pixel_values": pixels[0], "labels": labels}] * 2
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        use_cpu=True,
        report_to=[],
        max_steps=1,
        save_steps=1,
        per_device_train_batch_size=1,
        per_device_eval_batch_size=1,
        remove_unused_columns=False,
    )
    model = SuperGlueForKeypointMatching.from_config(right_model.config)
    model.load_state_dict(right_model.state_dict())
    trainer = transformers.Trainer(model, arguments, train_dataset=data, callbacks=[hf.SaveConfig()])
    with torch.enable_grad():
        trainer.train()
    assert AutoModel.from_pretrained(tmp_path / "checkpoint-1").config == right_model.config
    predicted = trainer.predict([{"pixel_values": pixels[0]}] * 2)
    assert [each.shape[0] for each in predicted.predictions] == [2] * 4
