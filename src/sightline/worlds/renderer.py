"""Pictures and depth of a mesh through EGL: one vertex buffer, one texture array, one draw."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from sightline.errors import RenderError
from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import Array

if TYPE_CHECKING:
    import moderngl

NEAR_M, FAR_M = 0.05, 60.0

_VERTEX_SHADER = """
#version 330
uniform mat4 clip_from_world;
in vec3 position; in vec3 texel; in vec3 light;
out vec3 v_texel; out vec3 v_light; out float v_depth;
void main() {
    gl_Position = clip_from_world * vec4(position, 1.0);
    v_texel = texel; v_light = light; v_depth = gl_Position.w;
}
"""
_FRAGMENT_SHADER = """
#version 330
uniform sampler2DArray layers; uniform float exposure;
in vec3 v_texel; in vec3 v_light; in float v_depth;
layout(location = 0) out vec4 colour; layout(location = 1) out float depth;
void main() {
    vec3 paint = texture(layers, vec3(v_texel.xy, floor(v_texel.z + 0.5))).rgb;
    colour = vec4(paint * v_light * exposure, 1.0);
    depth = v_depth;
}
"""


class Mesh(Protocol):
    """Lit, textured triangles: a world's geometry as the renderer takes it."""

    @property
    def vertices(self) -> NDArray[np.float32]:
        """(V, 9): x, y, z in metres, texture u, v, layer, and red, green, blue light."""
        ...

    @property
    def triangles(self) -> NDArray[np.uint32]:
        """(T, 3) vertex indices."""
        ...

    @property
    def textures(self) -> NDArray[np.uint8]:
        """(L, H, W, 3) texture layers, which repeat both ways."""
        ...


class MeshRenderer:
    """Renders a mesh from any pose; hold it in a ``with`` block, it owns an EGL context.

    Args:
        world: The mesh.
        far_m: What is farther is not seen.

    Raises:
        RenderError: EGL or an OpenGL 3.3 driver is missing.
    """

    def __init__(self, world: Mesh, *, far_m: float = FAR_M) -> None:
        self._far_m = far_m
        self._context = _egl_context()
        self._program: Any = self._context.program(
            vertex_shader=_VERTEX_SHADER, fragment_shader=_FRAGMENT_SHADER
        )
        self._targets: dict[tuple[int, int, bool], moderngl.Framebuffer] = {}
        self._held: list[Any] = []
        self.load(world)

    def load(self, world: Mesh) -> None:
        """Render another mesh from now on; much faster than another renderer."""
        self._make_current()
        for held in self._held:
            held.release()
        count, height, width, _ = world.textures.shape
        opaque = np.full((count, height, width, 4), 255, np.uint8)
        opaque[..., :3] = world.textures
        self._layers = self._context.texture_array((width, height, count), 4, opaque.tobytes())
        # No anisotropic filter: Mesa's software driver becomes nine times slower with it.
        self._layers.build_mipmaps()
        self._vertices = self._context.buffer(world.vertices.tobytes())
        indices = self._context.buffer(world.triangles.tobytes())
        self._mesh = self._context.vertex_array(
            self._program,
            [(self._vertices, "3f 3f 3f", "position", "texel", "light")],
            index_buffer=indices,
            index_element_size=4,
        )
        self._held = [self._mesh, self._vertices, indices, self._layers]

    def replace_vertices(self, first: int, vertices: NDArray[np.float32]) -> None:
        """Put (K, 9) other vertices in the place of the mesh's ``first`` and following ones."""
        self._make_current()
        width = vertices.shape[1] * vertices.itemsize
        self._vertices.write(np.ascontiguousarray(vertices).tobytes(), offset=first * width)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the context back; the renderer cannot be used after it."""
        self._targets.clear()
        self._context.release()

    def render(
        self, world_from_cam: Pose, camera: Camera, *, exposure: float = 1.0
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return the (H, W, 3) RGB picture and (H, W) z-depth in metres, 0 where nothing is."""
        target = self._draw(world_from_cam, camera, exposure, with_depth=True)
        shape = (camera.height, camera.width)
        depth = np.frombuffer(target.read(components=1, attachment=1, dtype="f4"), np.float32)
        return self._read(target, camera), depth.reshape(shape).copy()

    def render_depth(self, world_from_cam: Pose, camera: Camera) -> NDArray[np.float32]:
        """Return the (H, W) z-depth alone, in metres, 0 where nothing is."""
        target = self._draw(world_from_cam, camera, 1.0, with_depth=True)
        depth = np.frombuffer(target.read(components=1, attachment=1, dtype="f4"), np.float32)
        return depth.reshape(camera.height, camera.width).copy()

    def render_rgb(
        self, world_from_cam: Pose, camera: Camera, *, exposure: float = 1.0
    ) -> NDArray[np.uint8]:
        """Return the (H, W, 3) RGB picture alone, for those who need no depth."""
        return self._read(self._draw(world_from_cam, camera, exposure, with_depth=False), camera)

    def _draw(
        self, world_from_cam: Pose, camera: Camera, exposure: float, *, with_depth: bool
    ) -> moderngl.Framebuffer:
        if camera.distortion:
            raise RenderError(
                f"a pinhole camera is wanted, {camera.model} came; render with PINHOLE and distort"
            )
        self._make_current()
        target = self._target(camera.width, camera.height, with_depth)
        target.use()
        self._context.enable_only(self._context.DEPTH_TEST)
        target.clear()
        self._layers.use(0)
        clip_from_world = clip_from_cam(camera, self._far_m) @ world_from_cam.inverse().matrix
        self._program["clip_from_world"].write(clip_from_world.T.astype(np.float32).tobytes())
        self._program["exposure"].value = exposure
        self._mesh.render()
        return target

    def _make_current(self) -> None:
        """Let OpenGL draw here: another renderer of this thread may have drawn since."""
        context: Any = self._context
        context.__enter__()

    def _target(self, width: int, height: int, with_depth: bool) -> moderngl.Framebuffer:
        key = (width, height, with_depth)
        if key not in self._targets:
            size = (width, height)
            colours = [self._context.renderbuffer(size, 4)]
            if with_depth:
                colours.append(self._context.renderbuffer(size, 1, dtype="f4"))
            depth = self._context.depth_renderbuffer(size)
            self._targets[key] = self._context.framebuffer(colours, depth)
        return self._targets[key]

    def _read(self, target: moderngl.Framebuffer, camera: Camera) -> NDArray[np.uint8]:
        pixels = target.read(components=3, alignment=1)
        return np.frombuffer(pixels, np.uint8).reshape(camera.height, camera.width, 3)


def clip_from_cam(camera: Camera, far_m: float = FAR_M) -> Array:
    """Return the (4, 4) OpenGL projection of a pinhole camera.

    Row 0 of the buffer is the picture's top row (y is not flipped), and pixel (0, 0), whose
    centre OpenGL calls (0.5, 0.5), is the centre of the top-left pixel.
    """
    w, h, n, f = camera.width, camera.height, NEAR_M, far_m
    return np.array(
        [
            [2 * camera.fx / w, 0.0, (2 * camera.cx + 1) / w - 1, 0.0],
            [0.0, 2 * camera.fy / h, (2 * camera.cy + 1) / h - 1, 0.0],
            [0.0, 0.0, (f + n) / (f - n), -2 * f * n / (f - n)],
            [0.0, 0.0, 1.0, 0.0],
        ]
    )


def _egl_context() -> moderngl.Context:
    try:
        import moderngl

        settings: dict[str, Any] = {"backend": "egl"}
        return moderngl.create_context(require=330, standalone=True, **settings)
    except Exception as error:  # glcontext raises bare Exception for each missing library
        raise RenderError(
            f"an OpenGL 3.3 context through EGL is wanted, it cannot be had ({error}); on Debian "
            "install libegl1 and libgl1-mesa-dri"
        ) from error
