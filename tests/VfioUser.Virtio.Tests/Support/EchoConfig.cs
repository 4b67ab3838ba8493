using System.Runtime.InteropServices;

namespace VfioUser.Virtio.Tests;

[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct EchoConfig
{
    public uint Generation;
    public ulong Check;
}
