namespace VfioUser.Tests.Serving.Inspection;

/// <summary>A device of whose code an inspection must call nothing.</summary>
internal sealed class InspectedDevice : PciDevice
{
    private int _called;

    public InspectedDevice(int registers = 0)
        : base(new PciId(0x1B36, 0x00F2), PciClass.ProcessingAccelerator)
    {
        RequiresBusMaster = false;
        Bar bar = AddBar(0, BarKind.Memory32, 0x10000);
        Register<uint> control = bar.AddRegister<uint>(0, new() { Name = "CTRL", ResetValue = 0x81 });
        control.AddFlag(0, "EN");
        control.AddField<Speed>(6, 2, "SPEED");
        bar.AddRegister<uint>(4, new() { Name = "ICR", Access = RegisterAccess.ReadToClear, ResetValue = 5 });
        bar.AddRegister<uint>(8, new() { Name = "TEMPERATURE", ResetValue = 7, OnRead = _ => (uint)Called() });
        bar.AddBankedRegisters<ushort>(12, count: 2, bank: Called, new() { Name = "QUEUE", ResetValue = 3 });
        for (int i = 0; i < registers; i++)
            bar.AddRegister<uint>(0x100 + 4 * i);
        Config.AddRegister<byte>(0x40, new() { Name = "TEST", ResetValue = 9 });
        MsiX = bar.AddMsiX(offset: 0x8000, vectors: 16);
    }

    public enum Speed
    {
        Slow,
        Fast,
        Faster,
    }

    public IrqVectors MsiX { get; }

    /// <summary>How often code of the device was called by a read.</summary>
    public int Calls => Volatile.Read(ref _called);

    private int Called() => Interlocked.Increment(ref _called) % 2;
}
