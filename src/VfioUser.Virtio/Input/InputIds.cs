using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>Numbers by which programs in the guest tell input devices apart. Immutable.</summary>
/// <param name="Bus">Linux: BUS_ of linux/input.h; 6 is that of devices without one.</param>
/// <param name="Vendor">Its maker.</param>
/// <param name="Product">Its model.</param>
/// <param name="Version">Its revision.</param>
/// <remarks>VIRTIO 1.3 5.8.4: virtio_input_devids.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct InputIds(ushort Bus, ushort Vendor, ushort Product, ushort Version);
