using System.Globalization;
using System.Text;

namespace VfioUser;

/// <summary>The reference of a device's registers, as a data sheet has it.</summary>
public static class RegisterReference
{
    /// <summary>A Markdown table for each region that has registers, and one for each register that has fields.</summary>
    public static string ToMarkdown(PciDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        StringBuilder text = new();
        foreach (IGrouping<RegionIndex, RegisterInfo> region in device.GetRegisters().GroupBy(register => register.Region))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"## {region.Key}").AppendLine()
                .AppendLine("| offset | register | bytes | access | reset value | |").AppendLine("|---|---|---|---|---|---|");
            foreach (RegisterInfo register in region)
            {
                text.AppendLine(CultureInfo.InvariantCulture,
                    $"| 0x{register.Offset:x} | {register.Name} | {register.Width} | {register.Access} | 0x{register.ResetValue:x} | {register.Description} |");
            }
            text.AppendLine();
            foreach (RegisterInfo register in region.Where(register => register.Fields.Count > 0))
                AddFields(text, register);
        }
        return text.ToString();
    }

    private static void AddFields(StringBuilder text, RegisterInfo register)
    {
        text.AppendLine(CultureInfo.InvariantCulture, $"### {register.Name}").AppendLine()
            .AppendLine("| bits | field | access | reset value |").AppendLine("|---|---|---|---|");
        foreach (RegisterFieldInfo field in register.Fields)
        {
            string bits = field.Width == 1
                ? field.Bit.ToString(CultureInfo.InvariantCulture)
                : string.Create(CultureInfo.InvariantCulture, $"{field.Bit + field.Width - 1}:{field.Bit}");
            text.AppendLine(CultureInfo.InvariantCulture,
                $"| {bits} | {field.Name} | {register.AccessOf(field.Mask)} | 0x{(register.ResetValue & field.Mask) >> field.Bit:x} |");
        }
        text.AppendLine();
    }
}
