namespace VfioUser.Tool.Tests.Shell;

/// <summary>Adds up bytes of guest memory, and puts the sum behind them.</summary>
internal sealed class DmaCard : PciDevice
{
    public DmaCard()
        : base(new PciId(0x1234, 0x0002), PciClass.ProcessingAccelerator)
    {
        Bar bar = AddBar(0, BarKind.Memory32, 0x1000);
        Irq done = bar.AddMsiX(offset: 0x800, vectors: 2)[1];
        Register<ulong> address = bar.AddRegister<ulong>(0x00, new() { Name = "IOVA" });
        Register<uint> length = bar.AddRegister<uint>(0x08, new() { Name = "LENGTH" });
        Register<uint> sum = bar.AddRegister<uint>(0x0C, new() { Name = "SUM", Access = RegisterAccess.ReadOnly });
        Register<uint> control = bar.AddRegister<uint>(0x10, new()
        {
            Name = "CTRL",
            OnWrite = _ =>
            {
                byte[] bytes = new byte[Math.Min(length.Value, 4096)];
                Dma.TryRead(new Iova(address.Value), bytes);
                sum.Value = (uint)bytes.Sum(value => value);
                Dma.TryWrite(new Iova(address.Value + length.Value), sum.Value);
                done.Trigger();
            },
        });
        control.AddFlag(0, "GO");
        control.AddField<Speed>(4, 2, "SPEED");
        EnableMigration();
    }

    public enum Speed : byte
    {
        Slow,
        Fast,
    }
}
