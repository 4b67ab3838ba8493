using VfioUser.Tool.Registers;

namespace VfioUser.Tool.Describing;

/// <summary>Prints a description as text.</summary>
internal static class DescriptionText
{
    public static void Write(Terminal terminal, DeviceDescription device)
    {
        TextWriter to = terminal.Out;
        NegotiationDescription agreed = device.Negotiation;
        to.WriteLine(terminal.Bold("Negotiation"));
        to.WriteLine($"  version             {agreed.Version}");
        to.WriteLine($"  max_msg_fds         {agreed.MaxMsgFds}");
        to.WriteLine($"  max_data_xfer_size  {agreed.MaxDataXferSize}");
        to.WriteLine($"  max_dma_maps        {agreed.MaxDmaMaps}");
        to.WriteLine($"  pgsizes             0x{agreed.Pgsizes:x}");
        to.WriteLine($"  write_multiple      {YesNo(agreed.WriteMultiple)}");
        to.WriteLine($"  twin_socket         {YesNo(agreed.TwinSocket)}");
        to.WriteLine(terminal.Bold("Device"));
        if (device.Pci is { } pci)
        {
            to.WriteLine($"  id                  {pci.Vendor}:{pci.Device} (rev {pci.Revision}), subsystem {pci.SubsystemVendor}:{pci.Subsystem}");
            to.WriteLine($"  class               {pci.ClassCode}");
        }
        to.WriteLine($"  flags               {Join(device.Flags)}");
        to.WriteLine($"  migration           {Join(device.Migration)}");
        to.WriteLine(terminal.Bold("Regions"));
        if (device.Regions.Count == 0)
            to.WriteLine("  none");
        foreach (RegionDescription region in device.Regions)
            Write(to, region);
        to.WriteLine(terminal.Bold("Interrupts"));
        if (device.Irqs.Count == 0)
            to.WriteLine("  none");
        foreach (IrqDescription irq in device.Irqs)
            to.WriteLine($"  {irq.Index}  {irq.Name,-10} {irq.Count,5}  {Join(irq.Flags)}");
        if (device.Registers is { } registers)
            RegisterText.WriteList(terminal, registers, device.RegistersOmitted ?? 0);
    }

    private static void Write(TextWriter to, RegionDescription region)
    {
        string file = region.HasDescriptor ? $", file offset 0x{region.FileOffset:x}" : "";
        to.WriteLine($"  {region.Index}  {region.Name,-10} 0x{region.Size:x8}  {Join(region.Flags)}{(region.Kind is { } kind ? $", {kind}" : "")}{file}");
        foreach (CapabilityDescription capability in region.Capabilities)
        {
            to.WriteLine($"       {capability.Name} v{capability.Version}{(capability.Type is { } type ? " " + type : "")}");
            foreach (AreaDescription area in capability.Areas)
                to.WriteLine($"         0x{area.Offset:x8} + 0x{area.Size:x}");
        }
    }

    private static string Join(IReadOnlyList<string> words) => words.Count == 0 ? "none" : string.Join(' ', words);

    private static string YesNo(bool value) => value ? "yes" : "no";
}
