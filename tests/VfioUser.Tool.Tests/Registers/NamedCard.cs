namespace VfioUser.Tool.Tests.Registers;

/// <summary>A device whose registers have names, in a BAR, in a block and in configuration space.</summary>
internal sealed class NamedCard : PciDevice
{
    public NamedCard()
        : base(new PciId(0x1234, 0x5679), PciClass.ProcessingAccelerator)
    {
        Bar bar = AddBar(0, BarKind.Memory32, 0x1000);
        Control = bar.AddRegister<uint>(0, new() { Name = "CTRL", Description = "Starts it.", WriteOneToClear = 0x8000_0000 });
        Control.AddFlag(0, "EN");
        Control.AddField<Speed>(6, 2, "SPEED");
        Control.AddField<byte>(8, 4, "COUNT");
        Status = bar.AddRegister<ushort>(8, new() { Name = "STATUS", Access = RegisterAccess.ReadOnly });
        Status.AddFlag(1, "LU");
        Register<uint> cause = bar.AddRegister<uint>(0xC, new() { Name = "ICR", Access = RegisterAccess.ReadToClear });
        cause.AddFlag(0, "TX");
        Register<byte> hidden = bar.AddRegister<byte>(0x10, new() { Name = "KEY", Access = RegisterAccess.WriteOnly });
        hidden.AddField<byte>(0, 4, "LOW");
        bar.AddBlock(0x40, "RX").AddRegister<ulong>(0, new() { Name = "BASE" });
        bar.AddRegister<uint>(0x80, new() { Name = "SAME" });
        bar.AddRegister<uint>(0x90); // without a name
        bar.AddRegister<uint>(0x94, new()
        {
            Name = "LOCKED",
            OnRead = _ => throw new DeviceErrnoException(Protocol.Errno.EAGAIN),
            OnWrite = _ => throw new DeviceErrnoException(Protocol.Errno.EPERM),
        });
        Config.AddBlock(0x40, "VND").AddRegister<byte>(0, new() { Name = "TEST" });
        Config.AddRegister<byte>(0x41, new() { Name = "SAME" });
    }

    public enum Speed : byte
    {
        Mbps10,
        Mbps100,
        Gbps1,
    }

    public Register<uint> Control { get; }

    public Register<ushort> Status { get; }
}
