using System.Runtime.InteropServices;

namespace VfioUser.Tests;

/// <summary>A part that copies guest memory as a ring of descriptors says.</summary>
internal sealed class CopyRing : DevicePart
{
    private readonly Register<ulong> _ring;
    private readonly Register<uint> _head;
    private readonly DeviceTimer _moderation;

    public CopyRing(PciDevice device)
        : base(device)
    {
        Bar = device.AddBar(0, BarKind.Memory32, size: 0x1000);
        Done = Bar.AddMsiX(offset: 0x800, vectors: 1)[0];
        _ring = Bar.AddRegister<ulong>(0x00, new() { Name = "RING" });
        _head = Bar.AddRegister<uint>(0x08, new() { Name = "HEAD", Access = RegisterAccess.ReadOnly });
        Bar.AddDoorbell<uint>(0x0C, tail => device.Post(() => Run(tail)), "TAIL");
        _moderation = device.AddTimer(() => Done.Trigger());
    }

    public Bar Bar { get; }

    public Irq Done { get; }

    private void Run(uint tail)
    {
        Span<byte> data = stackalloc byte[64];
        for (; _head.Value < tail; _head.Value++)
        {
            if (!Device.Dma.TryRead(new Iova(_ring.Value) + _head.Value * 24, out Descriptor next)
                || next.Length > (ulong)data.Length
                || !Device.Dma.TryRead(new Iova(next.From), data[..(int)next.Length])
                || !Device.Dma.TryWrite(new Iova(next.To), data[..(int)next.Length]))
            {
                return; // a guest's mistake: the head stays before it
            }
        }
        _moderation.Start(TimeSpan.FromMicroseconds(50));
    }

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    internal readonly record struct Descriptor(ulong From, ulong To, ulong Length);
}
