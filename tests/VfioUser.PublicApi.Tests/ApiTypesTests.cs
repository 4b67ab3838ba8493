using System.Reflection;

namespace VfioUser.PublicApi.Tests;

/// <summary>Offsets and lengths have the types that .NET has for them, <see cref="int"/> and <see cref="long"/>: an author casts
/// nothing.</summary>
public class ApiTypesTests
{
    // Guest addresses have 64 bits without a sign, and so have the ranges between two of them.
    private static readonly HashSet<string> GuestAddresses = ["Iova", "GuestRam", "GuestBar.Address", "TestGuestOptions.MemorySize"];

    private static readonly string[] Sizes = ["offset", "length", "size", "stride", "count", "width", "bit"];

    [Theory]
    [InlineData("VfioUser")]
    [InlineData("VfioUser.Testing")]
    [InlineData("VfioUser.Disks")]
    [InlineData("VfioUser.Nvme")]
    [InlineData("VfioUser.Network")]
    [InlineData("VfioUser.Virtio")]
    public void Offsets_and_lengths_are_signed(string assembly)
    {
        IEnumerable<string> unsigned =
            from type in Assembly.Load(assembly).GetExportedTypes()
            from member in type.GetMembers(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly)
            where !type.Name.StartsWith("Dma", StringComparison.Ordinal) && !GuestAddresses.Contains(type.Name) && !GuestAddresses.Contains($"{type.Name}.{member.Name}")
            from value in ValuesOf(member)
            where IsUnsigned(value.Type) && Sizes.Any(size => value.Name.EndsWith(size, StringComparison.OrdinalIgnoreCase))
            select $"{type.Name}.{member.Name}: {value.Type.Name} {value.Name}";

        unsigned.Should().BeEmpty();
    }

    private static IEnumerable<(string Name, Type Type)> ValuesOf(MemberInfo member) => member switch
    {
        PropertyInfo property => [(property.Name, property.PropertyType)],
        FieldInfo field => [(field.Name, field.FieldType)],
        MethodBase method => method.GetParameters().Select(parameter => (parameter.Name!, parameter.ParameterType)),
        _ => [],
    };

    private static bool IsUnsigned(Type type)
    {
        Type plain = Nullable.GetUnderlyingType(type) ?? type;
        return plain == typeof(ulong) || plain == typeof(uint);
    }
}
