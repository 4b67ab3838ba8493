using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace VfioUser.Layers.Tests;

/// <summary>All arrows between the types of an assembly: of bases, members and method bodies. Constants are not seen: the compiler copies them.</summary>
internal sealed class Arrows
{
    // of portable PDBs: the documents of a type that has no code
    private static readonly Guid TypeDefinitionDocuments = new("932E74BC-DBA9-4478-8D46-0F32A7BAB3D3");

    private readonly MetadataReader _types;
    private readonly MetadataReader _symbols;
    private readonly PEReader _image;
    private readonly string _project;
    private readonly Dictionary<TypeDefinitionHandle, string> _homes = [];

    private Arrows(PEReader image, MetadataReader symbols, string project)
    {
        _image = image;
        _types = image.GetMetadataReader();
        _symbols = symbols;
        _project = "/" + project + "/";
    }

    /// <param name="assembly">Name of an assembly beside this one.</param>
    /// <param name="project">Folder of its project, relative to the repository.</param>
    public static Arrow[] Of(string assembly, string project)
    {
        string path = Path.Combine(AppContext.BaseDirectory, assembly + ".dll");
        using PEReader image = new(File.OpenRead(path));
        using MetadataReaderProvider symbols = MetadataReaderProvider.FromPortablePdbStream(File.OpenRead(Path.ChangeExtension(path, ".pdb")));
        return [.. new Arrows(image, symbols.GetMetadataReader(), project).All().Distinct()];
    }

    private IEnumerable<Arrow> All()
    {
        foreach (TypeDefinitionHandle type in _types.TypeDefinitions.Where(type => Outermost(type) == type && FilesOf(type).Any()))
            _homes.Add(type, HomeOf(type));
        foreach (TypeDefinitionHandle type in _types.TypeDefinitions.Where(type => _homes.ContainsKey(Outermost(type))))
        {
            TypeDefinition definition = _types.GetTypeDefinition(type);
            NamedTypes members = new(_types);
            members.Add(definition.BaseType);
            foreach (InterfaceImplementationHandle implementation in definition.GetInterfaceImplementations())
                members.Add(_types.GetInterfaceImplementation(implementation).Interface);
            foreach (FieldDefinitionHandle field in definition.GetFields())
                _types.GetFieldDefinition(field).DecodeSignature(members, null);
            foreach (Arrow arrow in From(type, _homes[Outermost(type)], members))
                yield return arrow;
            foreach (MethodDefinitionHandle method in definition.GetMethods())
            {
                foreach (Arrow arrow in From(type, FilesOf(method).Select(FolderOf).FirstOrDefault(_homes[Outermost(type)]), TypesIn(method)))
                    yield return arrow;
            }
        }
    }

    private IEnumerable<Arrow> From(TypeDefinitionHandle type, string folder, NamedTypes named) =>
        named.Found.Select(Outermost).Where(to => to != Outermost(type) && _homes.ContainsKey(to))
            .Select(to => new Arrow(folder, NameOf(Outermost(type)), _homes[to], NameOf(to)));

    private NamedTypes TypesIn(MethodDefinitionHandle handle)
    {
        NamedTypes named = new(_types);
        MethodDefinition method = _types.GetMethodDefinition(handle);
        method.DecodeSignature(named, null);
        if (method.RelativeVirtualAddress == 0)
            return named;
        MethodBodyBlock body = _image.GetMethodBody(method.RelativeVirtualAddress);
        if (!body.LocalSignature.IsNil)
            _types.GetStandaloneSignature(body.LocalSignature).DecodeLocalSignature(named, null);
        foreach (ExceptionRegion region in body.ExceptionRegions.Where(region => !region.CatchType.IsNil))
            named.Add(region.CatchType);
        foreach (EntityHandle token in TokenWalk.Of(body.GetILBytes()!))
            named.Add(token);
        return named;
    }

    // a partial type is at home where the file is that has its name
    private string HomeOf(TypeDefinitionHandle type)
    {
        string[] files = [.. FilesOf(type)];
        string name = NameOf(type).Split('`')[0];
        return FolderOf(Array.Find(files, file => string.Equals(Path.GetFileNameWithoutExtension(file), name, StringComparison.Ordinal)) ?? files[0]);
    }

    private IEnumerable<string> FilesOf(TypeDefinitionHandle type)
    {
        TypeDefinition definition = _types.GetTypeDefinition(type);
        IEnumerable<string> declared = _symbols.GetCustomDebugInformation(type).Select(_symbols.GetCustomDebugInformation)
            .Where(information => _symbols.GetGuid(information.Kind) == TypeDefinitionDocuments)
            .SelectMany(information => Numbers(_symbols.GetBlobReader(information.Value)))
            .Select(row => FileOf(MetadataTokens.DocumentHandle(row))).OfType<string>();
        return definition.GetMethods().SelectMany(FilesOf).Concat(declared).Concat(definition.GetNestedTypes().SelectMany(FilesOf));
    }

    private IEnumerable<string> FilesOf(MethodDefinitionHandle method)
    {
        MethodDebugInformation information = _symbols.GetMethodDebugInformation(method);
        return information.SequencePointsBlob.IsNil ? [] : information.GetSequencePoints()
            .Select(point => FileOf(point.Document)).OfType<string>().Distinct(StringComparer.Ordinal);
    }

    // relative to the project; null for what generators made
    private string? FileOf(DocumentHandle document)
    {
        string path = _symbols.GetString(_symbols.GetDocument(document).Name);
        int at = path.LastIndexOf(_project, StringComparison.Ordinal);
        string? inside = at < 0 ? null : path[(at + _project.Length)..];
        return inside is null || inside.StartsWith("obj/", StringComparison.Ordinal) ? null : inside;
    }

    private static string FolderOf(string file) => Path.GetDirectoryName(file)!;

    private TypeDefinitionHandle Outermost(TypeDefinitionHandle type)
    {
        TypeDefinitionHandle around = _types.GetTypeDefinition(type).GetDeclaringType();
        return around.IsNil ? type : Outermost(around);
    }

    private string NameOf(TypeDefinitionHandle type) => _types.GetString(_types.GetTypeDefinition(type).Name);

    private static List<int> Numbers(BlobReader blob)
    {
        List<int> numbers = [];
        while (blob.RemainingBytes > 0)
            numbers.Add(blob.ReadCompressedInteger());
        return numbers;
    }
}
