using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>The range of an axis of an input device. Immutable.</summary>
/// <param name="Minimum">The lowest position.</param>
/// <param name="Maximum">The highest position.</param>
/// <param name="Fuzz">How much of a movement is noise.</param>
/// <param name="Flat">How far from the centre the position is taken for it.</param>
/// <param name="Resolution">Units for each millimetre; 0 if it is not known.</param>
/// <remarks>VIRTIO 1.3 5.8.4: virtio_input_absinfo.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct InputAxis(int Minimum, int Maximum, int Fuzz = 0, int Flat = 0, int Resolution = 0);
