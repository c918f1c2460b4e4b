"""Rendering: frames a second of the floor renderer, and of one draw call per surface.

    python benchmarks/rendering.py [--frames 100 --repeats 3 --width 640 --height 480]

Baseline: what a first renderer looks like. Each surface has its own vertex buffer, its own texture
(switched for every draw) and its own draw call. Both pictures are compared before times are
printed. The goal is 100 frames/s at 640x480 on two cores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import moderngl
import numpy as np

from _harness import Benchmark, best_of, in_own_process, percentile, run_main, timed
from sightline.geometry import Camera, Pose
from sightline.worlds.floor import FloorConfig
from sightline.worlds.floor.geometry import FloorWorld, build_floor
from sightline.worlds.floor.walks import mapping_walk
from sightline.worlds.renderer import MeshRenderer, clip_from_cam

GOAL_FPS = 100.0
METHODS = ("one draw a surface", "renderer, with depth", "renderer, picture alone")

_VERTEX_SHADER = """
#version 330
uniform mat4 clip_from_world;
in vec3 position; in vec3 texel; in vec3 light;
out vec2 v_uv; out vec3 v_light;
void main() {
    gl_Position = clip_from_world * vec4(position, 1.0);
    v_uv = texel.xy; v_light = light;
}
"""
_FRAGMENT_SHADER = """
#version 330
uniform sampler2D paint;
in vec2 v_uv; in vec3 v_light; out vec4 colour;
void main() { colour = vec4(texture(paint, v_uv).rgb * v_light, 1.0); }
"""


class SurfaceBySurface:
    """Renders a floor with one texture and one draw call per surface."""

    def __init__(self, world: FloorWorld, camera: Camera) -> None:
        self._camera = camera
        self._context = moderngl.create_context(require=330, standalone=True, backend="egl")
        self._program: Any = self._context.program(
            vertex_shader=_VERTEX_SHADER, fragment_shader=_FRAGMENT_SHADER
        )
        self._textures = [self._texture(layer) for layer in world.textures]
        self._meshes = self._split(world)
        size = (camera.width, camera.height)
        self._target = self._context.framebuffer(
            [self._context.renderbuffer(size, 4)], self._context.depth_renderbuffer(size)
        )

    def _texture(self, layer: np.ndarray) -> moderngl.Texture:
        height, width, _ = layer.shape
        texture = self._context.texture((width, height), 3, layer.tobytes())
        texture.build_mipmaps()
        return texture

    def _split(self, world: FloorWorld) -> list[tuple[int, moderngl.VertexArray]]:
        meshes = []
        vertex = triangle = 0
        for surface in world.surfaces:
            columns, rows = len(surface.breaks_u), len(surface.breaks_v)
            count = 2 * (columns - 1) * (rows - 1)
            own = world.triangles[triangle : triangle + count] - np.uint32(vertex)
            points = world.vertices[vertex : vertex + columns * rows]
            mesh = self._context.vertex_array(
                self._program,
                [
                    (
                        self._context.buffer(points.tobytes()),
                        "3f 3f 3f",
                        "position",
                        "texel",
                        "light",
                    )
                ],
                index_buffer=self._context.buffer(own.tobytes()),
                index_element_size=4,
            )
            meshes.append((surface.layer, mesh))
            vertex, triangle = vertex + columns * rows, triangle + count
        return meshes

    def render(self, world_from_cam: Pose) -> np.ndarray:
        """Return the (H, W, 3) RGB picture."""
        self._target.use()
        self._context.enable_only(self._context.DEPTH_TEST)
        self._target.clear()
        clip_from_world = clip_from_cam(self._camera) @ world_from_cam.inverse().matrix
        self._program["clip_from_world"].write(clip_from_world.T.astype(np.float32).tobytes())
        for layer, mesh in self._meshes:
            self._textures[layer].use(0)
            mesh.render()
        pixels = self._target.read(components=3, alignment=1)
        return np.frombuffer(pixels, np.uint8).reshape(self._camera.height, self._camera.width, 3)


def measure(method: str, width: int, height: int, frames: int, repeats: int) -> dict[str, Any]:
    """Return one method's row, and the pictures of a few poses."""
    config = FloorConfig(image_width=width, image_height=height)
    setup_s, (draw, poses) = timed(lambda: _prepare(method, config, frames))
    draw(poses[0])  # the driver compiles at the first draw
    total_s, _ = best_of(lambda: [draw(pose) for pose in poses], repeats)
    each = [timed(lambda pose=pose: draw(pose))[0] * 1e3 for pose in poses]
    return {
        "method": method,
        "fps": frames / total_s,
        "p50_ms": percentile(each, 50),
        "p95_ms": percentile(each, 95),
        "setup_s": setup_s,
        "pictures": [np.array(draw(pose)) for pose in poses[:: max(1, frames // 4)]],
    }


def _prepare(
    method: str, config: FloorConfig, frames: int
) -> tuple[Callable[[Pose], np.ndarray], Sequence[Pose]]:
    world = build_floor(config)
    walk = mapping_walk(config)
    poses = [walk[i][1] for i in np.linspace(0, len(walk) - 1, frames).astype(int)]
    if method == METHODS[0]:
        return SurfaceBySurface(world, config.camera).render, poses
    renderer = MeshRenderer(world)
    if method == METHODS[1]:
        return lambda pose: renderer.render(pose, config.camera)[0], poses
    return lambda pose: renderer.render_rgb(pose, config.camera), poses


def main() -> int:
    """Measure, print a table, write bench-results/rendering.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--frames", type=int, default=100)
    bench.parser.add_argument("--repeats", type=int, default=3)
    bench.parser.add_argument("--width", type=int, default=640)
    bench.parser.add_argument("--height", type=int, default=480)
    options = bench.options()
    rows = []
    sizes = (options.width, options.height, options.frames, options.repeats)
    for method in METHODS:
        outcome = in_own_process(measure, method, *sizes)
        rows.append({**outcome.value, "peak_mb": outcome.peak_mb})
    pictures = [row.pop("pictures") for row in rows]
    apart = max(
        float(np.abs(a.astype(int) - b.astype(int)).mean())
        for others in pictures[1:]
        for a, b in zip(pictures[0], others, strict=True)
    )
    for row in rows:
        row["faster"] = row["fps"] / rows[0]["fps"]
        row["goal"] = row["fps"] >= GOAL_FPS
    columns = {
        "method": "method", "fps": "frames/s", "faster": "times faster", "p50_ms": "p50 ms",
        "p95_ms": "p95 ms", "setup_s": "set-up s", "peak_mb": "peak MB",
        "goal": f">= {GOAL_FPS:.0f} frames/s",
    }  # fmt: skip
    title = (
        f"{options.width}x{options.height}, {options.frames} poses of the mapping walk; baseline: "
        f"{METHODS[0]}; pictures differ by {apart:.3f} grey levels (mean of the worst)"
    )
    same = apart < 0.5
    bench.report(title, columns, rows, mean_grey_level_difference=apart, same_pictures=same)
    return 0 if same else 1


if __name__ == "__main__":
    run_main(main)
