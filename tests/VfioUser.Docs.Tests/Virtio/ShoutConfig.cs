using System.Runtime.InteropServices;

namespace VfioUser.Docs.Tests.Virtio;

[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct ShoutConfig
{
    public uint Requests;
}
