"""Networks of torchvision, transformers and timm, small and with random weights, and data that they take."""

import functools

import torch

BATCHES, N = 2, 6

# One small member of each family of torchvision's classification networks, with the side of its images.
TORCHVISION = {
    "alexnet": 64,
    "convnext_tiny": 32,
    "densenet121": 32,
    "efficientnet_b0": 32,
    "efficientnet_v2_s": 32,
    "googlenet": 32,
    "inception_v3": 80,
    "maxvit": 64,
    "mnasnet0_5": 32,
    "mobilenet_v2": 32,
    "mobilenet_v3_small": 32,
    "regnet_y_400mf": 32,
    "resnet18": 32,
    "resnet50": 32,
    "resnext50_32x4d": 32,
    "shufflenet_v2_x0_5": 32,
    "squeezenet1_0": 32,
    "swin_t": 64,
    "swin_v2_t": 64,
    "vgg11": 32,
    "vgg11_bn": 32,
    "vit_b_16": 32,
    "wide_resnet50_2": 32,
}
TIMM = {
    "beit_base_patch16_224": 32,
    "coatnet_nano_rw_224": 64,
    "convmixer_768_32": 32,
    "convnextv2_atto": 32,
    "deit_tiny_patch16_224": 32,
    "efficientvit_b0": 32,
    "eva02_tiny_patch14_224": 28,
    "hrnet_w18_small": 32,
    "levit_128s": 224,
    "mixer_s32_224": 64,
    "mobilenetv4_conv_small": 32,
    "nfnet_f0": 32,
    "poolformer_s12": 32,
    "res2net50_26w_4s": 32,
    "resnetv2_50": 32,
    "swin_tiny_patch4_window7_224": 56,
    "vgg11": 32,
    "vit_tiny_patch16_224": 32,
    "xcit_nano_12_p16_224": 32,
}
# Of timm's, those that are built for one size of images.
_SIZED = ("beit", "coatnet", "deit", "eva02", "mixer", "swin", "vit")
TRANSFORMERS = ("bert", "gpt2", "t5", "clip", "vit", "swin", "wav2vec2")


def images(side, channels=3):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(N, channels, side, side, generator=generator) for _ in range(BATCHES)]


def tokens(length=9, words=50):
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(1, words, (N, length), generator=generator) for _ in range(BATCHES)]


def of_torchvision(name):
    import torchvision

    torch.manual_seed(0)
    more = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    more |= {"image_size": 32} if name.startswith("vit") else {}
    if name == "maxvit":  # the smallest that torchvision names is large
        sizes = {"block_channels": [8, 16], "block_layers": [1, 2], "head_dim": 4, "stochastic_depth_prob": 0}
        network = torchvision.models.MaxVit((64, 64), stem_channels=8, partition_size=4, **sizes)
    else:
        network = torchvision.models.get_model(name, weights=None, **more)
    return network.eval(), images(TORCHVISION[name])


def of_timm(name):
    import timm

    torch.manual_seed(0)
    side = TIMM[name]
    sized = {"img_size": side} if name.startswith(_SIZED) else {}
    return timm.create_model(name, pretrained=False, **sized).eval(), images(side)


def of_transformers(name):
    torch.manual_seed(0)
    network, data = _TRANSFORMERS[name]()
    return network.eval(), data


def _text_sizes():
    return {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 32}


def _bert():
    from transformers import BertConfig, BertModel

    masks = [torch.ones(N, 9, dtype=torch.long) for _ in range(BATCHES)]
    masks[0][2, 5:] = 0
    data = [{"input_ids": ids, "attention_mask": mask} for ids, mask in zip(tokens(), masks, strict=True)]
    return BertModel(BertConfig(vocab_size=50, max_position_embeddings=16, **_text_sizes())), data


def _gpt2():
    from transformers import GPT2Config, GPT2Model

    sizes = {"n_positions": 16, "n_embd": 24, "n_layer": 2, "n_head": 3}
    return GPT2Model(GPT2Config(vocab_size=50, bos_token_id=0, eos_token_id=0, **sizes)), tokens()


def _t5():
    from transformers import T5Config, T5Model

    config = T5Config(vocab_size=50, d_model=24, d_kv=8, d_ff=32, num_layers=2, num_heads=3)
    return T5Model(config), [{"input_ids": ids, "decoder_input_ids": ids[:, :4]} for ids in tokens()]


def _clip():
    from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

    text = CLIPTextConfig(vocab_size=50, max_position_embeddings=16, bos_token_id=0, eos_token_id=49, **_text_sizes())
    vision = CLIPVisionConfig(image_size=16, patch_size=8, **_text_sizes())
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=20)
    data = [{"input_ids": ids, "pixel_values": image} for ids, image in zip(tokens(), images(16), strict=True)]
    return CLIPModel(config), data


def _vit():
    from transformers import ViTConfig, ViTModel

    return ViTModel(ViTConfig(image_size=16, patch_size=8, **_text_sizes())), images(16)


def _swin():
    from transformers import SwinConfig, SwinModel

    config = SwinConfig(image_size=32, patch_size=4, embed_dim=12, depths=[2, 2], num_heads=[2, 3], window_size=4)
    return SwinModel(config), images(32)


def _wav2vec2():
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    config = Wav2Vec2Config(
        conv_dim=(16, 16),
        conv_kernel=(10, 3),
        conv_stride=(5, 2),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=4,
        **_text_sizes(),
    )
    generator = torch.Generator().manual_seed(0)
    return Wav2Vec2Model(config), [torch.randn(N, 400, generator=generator) for _ in range(BATCHES)]


_TRANSFORMERS = {
    "bert": _bert,
    "gpt2": _gpt2,
    "t5": _t5,
    "clip": _clip,
    "vit": _vit,
    "swin": _swin,
    "wav2vec2": _wav2vec2,
}
ALL = {
    f"{package}-{name}": functools.partial(make, name)
    for package, make, names in (
        ("torchvision", of_torchvision, TORCHVISION),
        ("timm", of_timm, TIMM),
        ("transformers", of_transformers, TRANSFORMERS),
    )
    for name in names
}
