"""Names and shapes of the tensors in published checkpoints: SAM and SAM-HQ with ViT-B, SAM 2.1 tiny."""

from collections.abc import Iterator
from itertools import pairwise

Shapes = dict[str, tuple[int, ...]]


def _affine(name, *weight) -> Shapes:
    """A weight and a bias as long as the weight's first side."""
    return {f"{name}.weight": weight, f"{name}.bias": (weight[0],)}


def _transposed(name, channels_in, channels_out) -> Shapes:
    return {f"{name}.weight": (channels_in, channels_out, 2, 2), f"{name}.bias": (channels_out,)}


def _mlp(name, *widths) -> Shapes:
    pairs = enumerate(pairwise(widths))
    return {key: shape for k, (a, b) in pairs for key, shape in _affine(f"{name}.layers.{k}", b, a).items()}


def _attention(name, inner) -> Shapes:
    projections = [_affine(f"{name}.{p}_proj", inner, 256) for p in "qkv"]
    return {key: shape for part in (*projections, _affine(f"{name}.out_proj", 256, inner)) for key, shape in part.items()}


def _prompt_encoder(prefix) -> Shapes:
    return {
        f"{prefix}.pe_layer.positional_encoding_gaussian_matrix": (2, 128),
        **{f"{prefix}.point_embeddings.{k}.weight": (1, 256) for k in range(4)},
        f"{prefix}.not_a_point_embed.weight": (1, 256),
        **_affine(f"{prefix}.mask_downscaling.0", 4, 1, 2, 2),
        **_affine(f"{prefix}.mask_downscaling.1", 4),
        **_affine(f"{prefix}.mask_downscaling.3", 16, 4, 2, 2),
        **_affine(f"{prefix}.mask_downscaling.4", 16),
        **_affine(f"{prefix}.mask_downscaling.6", 256, 16, 1, 1),
        f"{prefix}.no_mask_embed.weight": (1, 256),
    }


def _mask_decoder(prefix, perceptron) -> Shapes:
    """perceptron: shapes of a transformer layer's two, by name."""
    shapes: Shapes = {}
    for k in range(2):
        layer = f"{prefix}.transformer.layers.{k}"
        shapes |= _attention(f"{layer}.self_attn", 256)
        shapes |= _attention(f"{layer}.cross_attn_token_to_image", 128)
        shapes |= _attention(f"{layer}.cross_attn_image_to_token", 128)
        shapes |= {key: shape for n in range(1, 5) for key, shape in _affine(f"{layer}.norm{n}", 256).items()}
        shapes |= perceptron(f"{layer}.mlp")
        shapes |= _mlp(f"{prefix}.output_hypernetworks_mlps.{k}", 256, 256, 256, 32)
        shapes |= _mlp(f"{prefix}.output_hypernetworks_mlps.{k + 2}", 256, 256, 256, 32)
    return {
        **shapes,
        **_attention(f"{prefix}.transformer.final_attn_token_to_image", 128),
        **_affine(f"{prefix}.transformer.norm_final_attn", 256),
        f"{prefix}.iou_token.weight": (1, 256),
        f"{prefix}.mask_tokens.weight": (4, 256),
        **_transposed(f"{prefix}.output_upscaling.0", 256, 64),
        **_affine(f"{prefix}.output_upscaling.1", 64),
        **_transposed(f"{prefix}.output_upscaling.3", 64, 32),
        **_mlp(f"{prefix}.iou_prediction_head", 256, 256, 256, 4),
    }


def _linear_pair(name, hidden, width) -> Shapes:
    return _affine(f"{name}.lin1", width, hidden) | _affine(f"{name}.lin2", hidden, width)


def sam_vit_b(depth=12, hidden=768) -> Shapes:
    """SAM with ViT-B, or a shallower and narrower one of 64 channels a head."""
    shapes: Shapes = {"image_encoder.pos_embed": (1, 64, 64, hidden)}
    shapes |= _affine("image_encoder.patch_embed.proj", hidden, 3, 16, 16)
    for k in range(depth):
        block = f"image_encoder.blocks.{k}"
        reach = 127 if k % 3 == 2 else 27
        shapes |= {f"{block}.attn.rel_pos_{axis}": (reach, 64) for axis in "hw"}
        shapes |= _affine(f"{block}.attn.qkv", 3 * hidden, hidden) | _affine(f"{block}.attn.proj", hidden, hidden)
        shapes |= _affine(f"{block}.norm1", hidden) | _affine(f"{block}.norm2", hidden)
        shapes |= _linear_pair(f"{block}.mlp", hidden, 4 * hidden)
    shapes |= {"image_encoder.neck.0.weight": (256, hidden, 1, 1), "image_encoder.neck.2.weight": (256, 256, 3, 3)}
    shapes |= _affine("image_encoder.neck.1", 256) | _affine("image_encoder.neck.3", 256)
    return (
        shapes | _prompt_encoder("prompt_encoder") | _mask_decoder("mask_decoder", lambda name: _linear_pair(name, 256, 2048))
    )


def sam_hq_vit_b(depth=12, hidden=768) -> Shapes:
    """SAM-HQ."""
    decoder = "mask_decoder"
    return {
        **sam_vit_b(depth, hidden),
        f"{decoder}.hf_token.weight": (1, 256),
        **_mlp(f"{decoder}.hf_mlp", 256, 256, 256, 32),
        **_transposed(f"{decoder}.compress_vit_feat.0", hidden, 256),
        **_affine(f"{decoder}.compress_vit_feat.1", 256),
        **_transposed(f"{decoder}.compress_vit_feat.3", 256, 32),
        **_transposed(f"{decoder}.embedding_encoder.0", 256, 64),
        **_affine(f"{decoder}.embedding_encoder.1", 64),
        **_transposed(f"{decoder}.embedding_encoder.3", 64, 32),
        **_affine(f"{decoder}.embedding_maskfeature.0", 64, 32, 3, 3),
        **_affine(f"{decoder}.embedding_maskfeature.1", 64),
        **_affine(f"{decoder}.embedding_maskfeature.3", 32, 64, 3, 3),
    }


def sam2_tiny() -> Shapes:
    """SAM 2.1 tiny; of what it needs for videos alone, one tensor of each kind."""
    trunk = "image_encoder.trunk"
    shapes: Shapes = {
        "maskmem_tpos_enc": (7, 1, 1, 64),
        "no_mem_embed": (1, 1, 256),
        "no_mem_pos_enc": (1, 1, 256),
        "no_obj_ptr": (1, 256),
        "no_obj_embed_spatial": (1, 64),
        **_affine("memory_attention.norm", 256),
        **_affine("memory_encoder.out_proj", 64, 256, 1, 1),
        **_affine("mask_downsample", 1, 1, 4, 4),
        **_mlp("obj_ptr_proj", 256, 256, 256, 256),
        **_affine("obj_ptr_tpos_proj", 64, 256),
        f"{trunk}.pos_embed": (1, 96, 7, 7),
        f"{trunk}.pos_embed_window": (1, 96, 8, 8),
        **_affine(f"{trunk}.patch_embed.proj", 96, 3, 7, 7),
    }
    for k, (width, wider) in enumerate(_hiera_widths()):
        block = f"{trunk}.blocks.{k}"
        shapes |= _affine(f"{block}.norm1", width) | _affine(f"{block}.norm2", wider)
        shapes |= _affine(f"{block}.attn.qkv", 3 * wider, width) | _affine(f"{block}.attn.proj", wider, wider)
        shapes |= _mlp(f"{block}.mlp", wider, 4 * wider, wider)
        if wider != width:
            shapes |= _affine(f"{block}.proj", wider, width)
    for k, width in enumerate((768, 384, 192, 96)):
        shapes |= _affine(f"image_encoder.neck.convs.{k}.conv", 256, width, 1, 1)
    return {
        **shapes,
        **_prompt_encoder("sam_prompt_encoder"),
        **_mask_decoder("sam_mask_decoder", lambda name: _mlp(name, 256, 2048, 256)),
        "sam_mask_decoder.obj_score_token.weight": (1, 256),
        **_mlp("sam_mask_decoder.pred_obj_score_head", 256, 256, 256, 1),
        **_affine("sam_mask_decoder.conv_s0", 32, 256, 1, 1),
        **_affine("sam_mask_decoder.conv_s1", 64, 256, 1, 1),
    }


def _hiera_widths() -> Iterator[tuple[int, int]]:
    width = 96
    for stage, blocks in enumerate((1, 2, 7, 2)):
        for k in range(blocks):
            wider = 2 * width if stage and k == 0 else width
            yield width, wider
            width = wider
