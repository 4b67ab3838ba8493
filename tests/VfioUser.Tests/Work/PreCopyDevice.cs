namespace VfioUser.Tests.Work;

/// <summary>A device with one register, which it saves while it runs.</summary>
internal sealed class PreCopyDevice : PciDevice
{
    public PreCopyDevice()
        : base(new PciId(0x1B36, 0x00F8), PciClass.Other)
    {
        AddBar(0, BarKind.Memory32, 0x1000).AddRegister<uint>(0);
        EnableMigration(new MigrationOptions { PreCopy = true });
    }

    public Action? Restored { get; set; }

    protected override void OnRestored() => Restored?.Invoke();
}
